//! Recorded shapes and routers-mesh.md 8.

use super::*;
use crate::{json::merge, objects};
use crds::Canary;

fn canary(changes: &Value) -> Canary {
    let mut spec = json!({"targetRef": {"kind": "Deployment", "name": "app"}, "service": {"port": 9898}});
    merge(&mut spec, changes);
    let metadata = json!({"name": "app", "namespace": "test", "uid": "c0ffee"});
    let object = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata, "spec": spec});
    crds::decode::decode(&object).unwrap()
}

fn context<'a>(canary: &'a Canary, current: Option<&'a Value>) -> Context<'a> {
    Context {
        canary,
        current: vec![current],
        selector_key: Some("app"),
        selector_value: Some("app"),
        entropy: 7,
        flags: crate::routes::Flags::default(),
    }
}

/// Recorded scenarios `linkerd-linear`, `osm-linear`, `smi-*-linear`. Metadata is the owner alone, whatever `service.apex` says.
#[test]
fn linear() {
    let canary = canary(&json!({"service": {"apex": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}}));
    let texts = json!([{"service": "app-canary", "weight": "30"}, {"service": "app-primary", "weight": "70"}]);
    let numbers = json!([{"service": "app-canary", "weight": 30}, {"service": "app-primary", "weight": 70}]);
    for (provider, version, backends) in [
        (&LINKERD, "v1alpha1", &texts),
        (&V1ALPHA1, "v1alpha1", &texts),
        (&OSM, "v1alpha2", &numbers),
        (&V1ALPHA2, "v1alpha2", &numbers),
        (&V1ALPHA3, "v1alpha3", &numbers),
    ] {
        let made = provider.desired(&context(&canary, None), Split::of(30)).unwrap();
        let expected = json!({
            "apiVersion": format!("split.smi-spec.io/{version}"), "kind": "TrafficSplit",
            "metadata": {"name": "app", "namespace": "test", "ownerReferences": [objects::owner_reference(&canary)]},
            "spec": {"service": "app", "backends": backends},
        });
        assert_eq!(made, [expected], "{}", provider.name);
    }
}

#[test]
fn the_first_host_is_the_root() {
    let canary = canary(&json!({"service": {"hosts": ["shop", "other"]}}));
    let made = OSM.desired(&context(&canary, None), Split::PRIMARY).unwrap();
    assert_eq!(made[0]["spec"]["service"], "shop");
}

#[test]
fn names() {
    for (name, expected) in [
        ("linkerd", Some("linkerd")),
        ("osm", Some("osm")),
        ("smi:v1alpha1", Some("smi:v1alpha1")),
        ("smi:v1alpha1:linkerd", Some("smi:v1alpha1")),
        ("smi:v1alpha3:osm", Some("smi:v1alpha3")),
        ("smi:v1alpha4", None),
        ("smi:v1alpha12", None),
        ("smi", None),
    ] {
        assert_eq!(
            super::super::provider(name).map(|provider| provider.name),
            expected,
            "{name}"
        );
    }
}

/// Weights as people and other controllers write them.
#[test]
fn weights_are_shares() {
    let canary = canary(&json!({}));
    for (primary, share, expected) in [
        (json!("90"), json!("10"), Ok(Split::of(10))),
        (json!("500m"), json!("500m"), Ok(Split::of(50))),
        (json!("1"), json!("250m"), Ok(Split::of(20))),
        (json!(3), json!(1), Ok(Split::of(25))),
        (json!(70.0), json!(30.0), Ok(Split::of(30))),
        (json!("many"), json!(1), Ok(Split::of(100))),
        (
            json!(0),
            json!("0"),
            Err(Unready::NoSplit("TrafficSplit app.test".into())),
        ),
        (
            json!(-5),
            json!(null),
            Err(Unready::NoSplit("TrafficSplit app.test".into())),
        ),
    ] {
        let backends =
            json!([{"service": "app-primary", "weight": primary}, {"service": "app-canary", "weight": share}]);
        let live = json!({"spec": {"service": "app", "backends": backends}});
        assert_eq!(
            V1ALPHA1.observed(&context(&canary, Some(&live))),
            expected,
            "{backends}"
        );
    }
}

/// RM-1, recorded scenario `smi-v1alpha2-drift`: weights and order stay, the edit goes, labels and annotations are nobody's business.
#[test]
fn repair_keeps_the_weights() {
    let canary = canary(&json!({}));
    let mut live = OSM.desired(&context(&canary, None), Split::of(40)).unwrap().remove(0);
    live["metadata"]["labels"] = json!({"theirs": "1"});
    live["spec"]["backends"].as_array_mut().unwrap().reverse();
    live["spec"]["matches"] = json!([{"kind": "HTTPRouteGroup", "name": "x"}]);
    let before = live.clone();
    assert_eq!(
        OSM.desired(&context(&canary, Some(&live)), Split::of(40)).unwrap(),
        std::slice::from_ref(&before)
    );
    live["spec"]["service"] = json!("evil");
    live["spec"]["backends"]
        .as_array_mut()
        .unwrap()
        .push(json!({"service": "evil", "weight": 1}));
    let mended = OSM
        .desired(&context(&canary, Some(&live)), Split::of(40))
        .unwrap()
        .remove(0);
    assert_eq!(mended["spec"]["service"], "app");
    assert_eq!(mended["spec"]["backends"].as_array().map(Vec::len), Some(2));
    assert_eq!(mended["spec"]["matches"], before["spec"]["matches"]);
    assert_eq!(OSM.observed(&context(&canary, Some(&mended))), Ok(Split::of(40)));
}
