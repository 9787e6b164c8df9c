//! A primary that its owner has scaled to zero does not stand in the way of the next release.

use serde_json::json;

use super::fixture::*;
use crate::objects::LAST_APPLIED;
use crds::Phase;

#[test]
fn the_next_release_brings_it_back_first() {
    for (manifest, expected) in [(json!({"spec": {"replicas": 2}}), 2), (json!({}), 1)] {
        let mut model = released(&json!({}));
        finish(&mut model);
        let applied = json!({"metadata": {"annotations": {LAST_APPLIED: manifest.to_string()}}});
        model.edit(&target_at(), &applied);
        model.edit(&primary_at(), &json!({"spec": {"replicas": 0}}));
        model.settle();
        let writes = model.writes;
        model.run_until(&[Phase::Progressing], 5);
        assert_eq!(
            (replicas(&model, &primary_at()), model.writes),
            (0, writes),
            "at rest it stays so"
        );
        set_image(&mut model, "app:3");
        model.settle();
        while model.phase() != Phase::Progressing {
            assert_eq!(replicas(&model, &target_at()), 0, "not before the primary is ready");
            assert!(model.decisions.len() < 100, "{:#?}", model.decisions);
            model.run_until(&[Phase::Progressing], 1);
        }
        assert_eq!(replicas(&model, &primary_at()), expected);
        assert_eq!(image(&model, &primary_at()), "app:2", "with what it had");
        let told = |event: &&crate::seam::Event| event.message.contains("app-primary.test was scaled to zero");
        assert_eq!(model.events.iter().filter(told).count(), 1);
        ends_promoted(&mut model, "app:3");
    }
}

#[test]
fn a_release_without_analysis_brings_it_back_with_its_promotion() {
    let mut model = released(&json!({"skipAnalysis": true}));
    finish(&mut model);
    model.edit(&primary_at(), &json!({"spec": {"replicas": 0}}));
    model.settle();
    next_release_succeeds(&mut model, "app:3");
    assert!(replicas(&model, &primary_at()) > 0);
}

/// In a run the deadline judges, the canary keeps the users, and the next release goes on from there.
#[test]
fn in_a_run_it_ends_the_run_and_not_the_next_one() {
    let mut model = released(&json!({"progressDeadlineSeconds": 30}));
    reach(&mut model, 20);
    model.edit(&primary_at(), &json!({"spec": {"replicas": 0}}));
    model.settle();
    finish(&mut model);
    let last = model.trajectory.last().map(String::as_str);
    assert_eq!(last, Some("Failed 0/100 weight=100 iterations=0 failed=0"));
    next_release_succeeds(&mut model, "app:3");
    assert!(replicas(&model, &primary_at()) > 0);
}
