//! A primary that has gone (WL-7): what comes back is what was promoted, and nothing else.

use serde_json::{Value, json};

use super::fixture::*;
use crate::{
    ObjectRef,
    model::{Model, answer, vector},
    objects::{LAST_APPLIED, kinds},
};
use crds::Phase;

const ENDS: [Phase; 2] = [Phase::Succeeded, Phase::Failed];

/// From now on the cluster knows the ReplicaSets of these images, and metrics answer `success`.
fn remember(model: &mut Model, images: &'static [&'static str], success: &'static str) {
    model.queries = Box::new(move |_, request| {
        if !request
            .url
            .contains("/apis/apps/v1/namespaces/test/replicasets?labelSelector=app%3Dapp")
        {
            return Ok(answer(
                200,
                &vector(if request.url.contains("quantile") {
                    "0.2"
                } else {
                    success
                }),
            ));
        }
        let set = |image: &&str| {
            let mut template = deployment()["spec"]["template"].clone();
            template["metadata"]["labels"]["pod-template-hash"] = json!("7c5");
            template["spec"]["containers"][0]["image"] = json!(image);
            json!({"spec": {"template": template}})
        };
        let items: Vec<Value> = images.iter().map(set).collect();
        Ok(answer(200, &json!({ "items": items }).to_string()))
    });
}

/// The primary is deleted, and the controller looks.
fn lose(model: &mut Model) {
    model.remove(&primary_at());
    model.step();
    model.settle();
}

/// A release that has failed: the target still has it.
fn failed(images: &'static [&'static str]) -> Model {
    let mut model = released(&json!({"analysis": {"threshold": 1}}));
    reach(&mut model, 20);
    remember(&mut model, images, "1");
    finish(&mut model);
    assert_eq!(model.phase(), Phase::Failed);
    remember(&mut model, images, "100");
    model
}

fn accepted(model: &Model) -> Option<String> {
    let told = model.canary().status?.condition("Accepted").cloned()?;
    Some(format!("{} {}", told.reason, told.message.unwrap_or_default()))
}

fn told(model: &Model, text: &str) -> usize {
    model.events.iter().filter(|event| event.message.contains(text)).count()
}

#[test]
fn at_rest_it_is_made_again_from_the_promoted_target() {
    let mut model = released(&json!({}));
    finish(&mut model);
    let manifest = json!({"spec": {"replicas": 3}}).to_string();
    model.edit(
        &target_at(),
        &json!({"metadata": {"annotations": {LAST_APPLIED: manifest}}}),
    );
    lose(&mut model);
    assert_eq!(
        (image(&model, &primary_at()), replicas(&model, &primary_at())),
        ("app:2".into(), 3),
        "the target is at zero, its manifest is not"
    );
    assert_eq!(told(&model, "was gone and is made again"), 1);
    next_release_succeeds(&mut model, "app:3");
}

#[test]
fn after_a_failure_the_promoted_revision_comes_from_the_history_and_not_the_failed_one() {
    let mut model = failed(&["app:2", "app:1"]);
    lose(&mut model);
    assert_eq!(image(&model, &primary_at()), "app:1");
    assert_eq!(model.phase(), Phase::Failed);
    assert_eq!(told(&model, "was gone and is made again"), 1);
    next_release_succeeds(&mut model, "app:3");
}

#[test]
fn in_a_run_the_promoted_revision_comes_back_and_the_run_goes_on() {
    let mut model = released(&json!({}));
    remember(&mut model, &["app:2", "app:1"], "100");
    reach(&mut model, 40);
    lose(&mut model);
    assert_eq!(image(&model, &primary_at()), "app:1");
    ends_promoted(&mut model, "app:2");
}

#[test]
fn while_it_is_promoted_it_gets_what_was_analysed() {
    let mut model = released(&json!({}));
    remember(&mut model, &["app:2", "app:1"], "100");
    assert!(model.run_until(&[Phase::Promoting], 60));
    lose(&mut model);
    assert_eq!(image(&model, &primary_at()), "app:2");
    ends_promoted(&mut model, "app:2");
}

/// Without a history nothing reviewed is left: the run ends at once, and the only version with pods gets everything.
#[test]
fn without_a_history_a_run_ends_and_leaves_the_traffic_where_the_pods_are() {
    let mut model = released(&json!({}));
    remember(&mut model, &["app:2"], "100");
    reach(&mut model, 40);
    lose(&mut model);
    let last = model.trajectory.last().map(String::as_str);
    assert_eq!(last, Some("Failed 0/100 weight=100 iterations=0 failed=0"));
    assert_eq!((model.get(&primary_at()), replicas(&model, &target_at())), (None, 1));
    assert_clean(&model);
}

#[test]
fn without_a_history_the_owner_is_told_once_and_the_promoted_revision_mends_it() {
    let mut model = failed(&["app:2"]);
    lose(&mut model);
    let complaint = accepted(&model).unwrap_or_default();
    assert!(
        complaint.starts_with("PrimaryLost Deployment app-primary.test is gone"),
        "{complaint}"
    );
    assert!(
        complaint.contains("set it back to the promoted revision"),
        "{complaint}"
    );
    let writes = model.writes;
    model.run_until(&[Phase::Progressing], 4);
    assert_eq!((model.get(&primary_at()), model.writes), (None, writes), "told once");
    assert_eq!(told(&model, "has not been analysed"), 1);
    assert_clean(&model);

    set_image(&mut model, "app:1");
    model.run_until(&[Phase::Progressing], 4);
    assert_eq!((image(&model, &primary_at()), accepted(&model)), ("app:1".into(), None));
    next_release_succeeds(&mut model, "app:3");
}

/// What was seen to fail is never made the primary; what is pushed next may be the cure, and nothing else can serve.
#[test]
fn without_a_history_the_next_release_starts_anew() {
    let mut model = failed(&[]);
    lose(&mut model);
    assert_eq!(model.get(&primary_at()), None);
    set_image(&mut model, "app:3");
    model.settle();
    model.run_until(&[Phase::Progressing], 4);
    assert_eq!((image(&model, &primary_at()), accepted(&model)), ("app:3".into(), None));
    assert_eq!(told(&model, "it is made anew"), 1);
    ends_promoted(&mut model, "app:3");
    next_release_succeeds(&mut model, "app:4");
}

#[test]
fn a_gate_for_people_is_not_passed_by_a_loss() {
    let gate = json!([{"name": "people", "type": "confirm-rollout", "url": "http://gate.test/"}]);
    let mut model = failed(&[]);
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"analysis": {"webhooks": gate}}}));
    lose(&mut model);
    set_image(&mut model, "app:3");
    model.settle();
    model.run_until(&[Phase::Progressing], 4);
    assert_eq!(model.get(&primary_at()), None);
    let complaint = accepted(&model).unwrap_or_default();
    assert!(complaint.contains("make the primary again"), "{complaint}");
    assert!(!complaint.contains("push the next release"), "{complaint}");
}

#[test]
fn whoever_skips_the_analysis_gets_the_target() {
    let mut model = failed(&[]);
    lose(&mut model);
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"spec": {"skipAnalysis": true}}));
    model.run_until(&[Phase::Progressing], 3);
    assert_eq!((image(&model, &primary_at()), accepted(&model)), ("app:2".into(), None));
}

/// Copies outlive the primary, and what its ConfigMap says by now is as unreviewed as a new template.
#[test]
fn copies_of_configs_stay_as_they_were_promoted() {
    let at = |name: &str| -> ObjectRef { kinds::CONFIG_MAP.named(NAMESPACE, name) };
    let mut model = model(&json!({}), "100", "0.2");
    let metadata = json!({"name": "settings", "namespace": NAMESPACE, "uid": "1"});
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}});
    model.put(at("settings"), config);
    let volumes = json!([{"name": "settings", "configMap": {"name": "settings"}}]);
    model.edit(
        &target_at(),
        &json!({"spec": {"template": {"spec": {"volumes": volumes}}}}),
    );
    let mut model = released_with(model);
    finish(&mut model);
    let copied = |model: &Model| model.get(&at("settings-primary")).expect("it is there")["data"]["a"].clone();
    model.edit(&at("settings"), &json!({"data": {"a": "2"}}));
    lose(&mut model);
    assert_eq!(
        (image(&model, &primary_at()), copied(&model)),
        ("app:2".into(), json!("1"))
    );
    assert!(
        model.run_until(&[Phase::Progressing], 10),
        "the config has its own run: {:#?}",
        model.decisions
    );
    assert!(model.run_until(&ENDS, 120));
    assert_eq!(
        (model.phase(), copied(&model)),
        (Phase::Succeeded, json!("2")),
        "{:#?}",
        model.decisions
    );
    assert_clean(&model);
}
