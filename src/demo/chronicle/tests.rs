use super::Chronicle;
use crate::demo::mirror::{Change, EVENT};
use engine::{Kind, objects::kinds};
use serde_json::{Value, json};

fn see(chronicle: &mut Chronicle, kind: Kind, object: Value) {
    let change = Change {
        kind,
        object,
        gone: false,
    };
    chronicle.observe(&change, 1.5);
}

fn route(canary: i64) -> Value {
    json!({ "metadata": { "name": "good" }, "spec": { "rules": [{ "backendRefs": [
        { "name": "good-primary", "weight": 100 - canary }, { "name": "good-canary", "weight": canary },
    ] }] } })
}

#[test]
fn phases_and_weights_are_kept_in_order_and_once() {
    let mut chronicle = Chronicle::default();
    for phase in ["", "Initializing", "Initializing", "Initialized", "Progressing"] {
        let canary = json!({
            "metadata": { "name": "good" }, "status": { "phase": phase },
            "spec": { "analysis": { "metrics": [{ "name": "request-duration", "thresholdRange": { "max": 500 } }] } },
        });
        see(&mut chronicle, kinds::CANARY, canary);
    }
    for weight in [0, 10, 10, 20, 0] {
        see(&mut chronicle, kinds::HTTP_ROUTE, route(weight));
    }
    let story = chronicle.story("good");
    assert_eq!(story.phases, ["Initializing", "Initialized", "Progressing"]);
    assert_eq!(story.weights, [0, 10, 20, 0]);
    assert_eq!(story.split, (100, 0));
    assert_eq!(story.limits["request-duration"], (None, Some(500.0)));
    assert_eq!(chronicle.phase("good"), "Progressing");
    assert_eq!(chronicle.phase("bad"), "");
}

#[test]
fn images_of_primary_and_target_are_told_apart() {
    let mut chronicle = Chronicle::default();
    for (name, image) in [("bad", "bad:2"), ("bad-primary", "bad:1"), ("other", "x")] {
        let template = json!({ "spec": { "containers": [{ "image": image }] } });
        see(
            &mut chronicle,
            kinds::DEPLOYMENT,
            json!({ "metadata": { "name": name }, "spec": { "template": template } }),
        );
    }
    let story = chronicle.story("bad");
    assert_eq!(
        (story.primary_image.as_str(), story.target_image.as_str()),
        ("bad:1", "bad:2")
    );
}

#[test]
fn an_event_is_told_again_only_when_it_was_counted_again() {
    let mut chronicle = Chronicle::default();
    for (name, about, count) in [
        ("a", "good", 1),
        ("a", "good", 1),
        ("a", "good", 2),
        ("b", "bad", 1),
        ("c", "else", 1),
    ] {
        let event = json!({
            "metadata": { "name": name }, "involvedObject": { "name": about }, "count": count,
            "message": format!("{name}{count}"), "type": "Warning",
        });
        see(&mut chronicle, EVENT, event);
    }
    let told: Vec<(u64, &str, &str)> = chronicle
        .events()
        .map(|told| (told.number, told.name, told.message.as_str()))
        .collect();
    assert_eq!(told, [(1, "good", "a1"), (2, "good", "a2"), (3, "bad", "b1")]);
}
