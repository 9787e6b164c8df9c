//! Checks that tell nothing: no data, and providers that do not answer. What they mean is the owner's choice.

use super::fixture::*;
use crate::{
    http::Response,
    metrics::policy::{ON_ERROR, ON_NO_DATA},
    model::{Model, answer, vector},
    seam::{EventType, Trouble},
};
use crds::Phase;
use serde_json::json;

type Answer = fn() -> Result<Response, Trouble>;

fn empty() -> Result<Response, Trouble> {
    Ok(answer(
        200,
        &json!({"data": {"resultType": "vector", "result": []}}).to_string(),
    ))
}

fn down() -> Result<Response, Trouble> {
    Err(Trouble::Unavailable(
        "http://prometheus:9090: connection refused".into(),
    ))
}

/// A run whose success rate is answered so; the other metric is good.
fn run(annotation: (&str, &str), success: Answer) -> Model {
    let mut model = released(&json!({"progressDeadlineSeconds": 60}));
    let at = model.canary_at.clone();
    model.edit(&at, &json!({"metadata": {"annotations": {annotation.0: annotation.1}}}));
    model.queries = Box::new(move |_, request| {
        if request.url.contains("quantile") {
            Ok(answer(200, &vector("0.2")))
        } else {
            success()
        }
    });
    model
}

fn failed_checks(model: &Model) -> i64 {
    model.canary().status.unwrap_or_default().failed_checks
}

#[test]
fn both_fail_the_check_unless_told_otherwise() {
    for success in [empty as Answer, down] {
        let mut model = run(("unrelated", "x"), success);
        finish(&mut model);
        assert_eq!(model.canary().status.unwrap().phase, Phase::Failed);
        assert_clean(&model);
    }
}

#[test]
fn the_two_can_be_told_apart() {
    let cases = [
        (
            empty as Answer,
            "Halt advancement no values found for gatewayapi:v1 metric request-success-rate",
            false,
        ),
        (
            down,
            "Prometheus query failed: request failed: http://prometheus:9090: connection refused",
            true,
        ),
    ];
    for (success, text, is_error) in cases {
        let mut model = run(("unrelated", "x"), success);
        finish(&mut model);
        let told = model.events.iter().find(|event| event.message.starts_with(text));
        let told = told.unwrap_or_else(|| panic!("{text}: {:#?}", model.events));
        assert_eq!((told.severity, told.is_error), (EventType::Warning, is_error));
    }
}

#[test]
fn ignored_checks_do_not_halt_a_run() {
    for (name, success) in [(ON_NO_DATA, empty as Answer), (ON_ERROR, down)] {
        let mut model = run((name, "ignore"), success);
        finish(&mut model);
        assert_eq!(model.canary().status.unwrap().phase, Phase::Succeeded);
        assert!(
            !model
                .events
                .iter()
                .any(|event| event.message.contains("Halt advancement no")),
            "{:#?}",
            model.events
        );
        assert_clean(&model);
    }
    let mut other = run((ON_NO_DATA, "ignore"), down);
    finish(&mut other);
    assert_eq!(
        other.canary().status.unwrap().phase,
        Phase::Failed,
        "each policy is for its own case"
    );
}

#[test]
fn held_checks_wait_and_do_not_wait_for_ever() {
    for (name, success) in [(ON_NO_DATA, empty as Answer), (ON_ERROR, down)] {
        let mut model = run((name, "hold"), success);
        reach(&mut model, 20);
        let weight = model.canary().status.unwrap().canary_weight;
        model.run_until(&[Phase::Failed], 4);
        let status = model.canary().status.unwrap();
        assert_eq!(
            (status.failed_checks, status.canary_weight),
            (0, weight),
            "{:#?}",
            model.trajectory
        );

        let mut mended = run((name, "hold"), success);
        reach(&mut mended, 20);
        mended.run_until(&[Phase::Failed], 3);
        mended.queries = Box::new(|_, request| {
            Ok(answer(
                200,
                &vector(if request.url.contains("quantile") { "0.2" } else { "100" }),
            ))
        });
        finish(&mut mended);
        assert_eq!(
            (mended.canary().status.unwrap().phase, failed_checks(&mended)),
            (Phase::Succeeded, 0)
        );

        finish(&mut model);
        assert_eq!(
            model.canary().status.unwrap().phase,
            Phase::Failed,
            "the deadline ends it"
        );
        assert_clean(&model);
    }
}

#[test]
fn an_annotation_that_cannot_be_read_is_told() {
    let mut model = run((ON_ERROR, "retry"), down);
    finish(&mut model);
    let text = "annotation aviary/on-metrics-error is none of fail, hold and ignore; it counts as fail";
    assert_eq!(
        model.events.iter().filter(|event| event.message == text).count(),
        1,
        "{:#?}",
        model.events
    );
    assert_eq!(model.canary().status.unwrap().phase, Phase::Failed);
}
