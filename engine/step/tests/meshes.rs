//! A run by weights on each mesh, with a route that is edited, deleted, or refused on the way.

use super::fixture::*;
use crate::{
    ObjectRef,
    model::Model,
    routes::{Provider, provider},
};
use crds::Phase;
use serde_json::{Value, json};

const MESHES: [&str; 12] = [
    "linkerd",
    "osm",
    "smi:v1alpha1",
    "smi:v1alpha2",
    "smi:v1alpha3",
    "kuma",
    "appmesh",
    "appmesh:v1beta2",
    "gatewayapi:v1beta1",
    "gatewayapi:v1:grpc",
    "gatewayapi:v1:tcp",
    "gatewayapi:v1alpha2:tcp",
];

fn on(name: &str) -> Value {
    json!({"provider": name, "service": {"meshName": "prod"}, "analysis": {"stepWeight": 30}})
}

fn objects(model: &Model, provider: &Provider) -> Vec<(ObjectRef, Value)> {
    let all = provider.objects(&model.canary()).into_iter();
    all.map(|at| {
        let object = model.get(&at).unwrap_or_else(|| panic!("{at} is not there"));
        (at, object["spec"].clone())
    })
    .collect()
}

/// Whatever becomes of the objects in a run, they are mended at its weight, and the run goes on (W-8, RM-1).
#[test]
fn runs_by_weights() {
    for name in MESHES {
        let provider = provider(name).unwrap();
        let mut model = released(&on(name));
        reach(&mut model, 30);
        let whole = objects(&model, provider);
        let empty = json!({"spec": {"routes": [], "backends": [], "conf": {"split": [null]}, "rules": []}});
        for (at, _) in &whole {
            let edits: [&dyn Fn(&mut Model); 3] = [
                &|model| model.edit(at, &json!({"spec": null})),
                &|model| model.edit(at, &empty),
                &|model| model.remove(at),
            ];
            for edit in edits {
                edit(&mut model);
                model.step();
                for ((at, now), (_, before)) in objects(&model, provider).into_iter().zip(&whole) {
                    let mut now = now;
                    // What is no field of ours on this provider stays.
                    let foreign = ["routes", "backends", "conf", "rules"]
                        .into_iter()
                        .filter(|field| before.get(field).is_none());
                    foreign.for_each(|field| drop(now.as_object_mut().unwrap().remove(field)));
                    assert_eq!(now, *before, "{name}: {at}");
                }
            }
        }
        finish(&mut model);
        let weights: Vec<&str> = run_of(&model)
            .iter()
            .filter_map(|line| line.split(' ').nth(1))
            .collect();
        let mut seen = weights.clone();
        seen.dedup();
        assert!(
            seen.starts_with(&["100/0", "70/30"]) && seen.ends_with(&["40/60", "100/0"]),
            "{name}: {weights:?}"
        );
        assert_eq!(model.phase(), Phase::Succeeded, "{name}");
        assert_clean(&model);
    }
}

/// A kind that is not installed: an Event, and the canary goes on when it comes.
#[test]
fn a_kind_that_is_missing_is_told() {
    for name in MESHES {
        let provider = provider(name).unwrap();
        let mut model = model(&on(name), "100", "0.2");
        model.uninstall(provider.kinds[0]);
        assert!(!model.run_until(&[Phase::Initialized], 10), "{name}");
        let missing = format!("{} is not installed", provider.kinds[0].api_version());
        assert!(
            model.events.iter().any(|event| event.message.contains(&missing)),
            "{name}: {:?}",
            model.events
        );
        assert_clean(&model);
    }
}
