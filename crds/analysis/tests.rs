//! What the numbers of an analysis count as.

use super::*;
use serde_json::{Value, json};

fn analysis(value: Value) -> Analysis {
    serde_json::from_value(value).unwrap()
}

#[test]
fn the_strategy_follows_from_match_and_iterations() {
    let cases = [
        (json!({"stepWeight": 5}), Strategy::Canary),
        (json!({"stepWeight": 5, "match": [{}]}), Strategy::Canary),
        (json!({"iterations": 0, "match": [{}]}), Strategy::Canary),
        (json!({"iterations": -2}), Strategy::Canary),
        (json!({"iterations": 2}), Strategy::BlueGreen),
        (json!({"iterations": 2, "match": [{}]}), Strategy::AbTesting),
    ];
    for (value, expected) in cases {
        assert_eq!(analysis(value.clone()).strategy(), expected, "{value}");
    }
}

#[test]
fn what_is_absent_or_senseless_counts_as_the_default() {
    let floor = Duration::from_secs(10);
    let odd = analysis(
        json!({"interval": "1minute", "threshold": -1, "primaryReadyThreshold": 150, "canaryReadyThreshold": -5}),
    );
    assert_eq!(
        (
            odd.threshold(),
            odd.primary_ready_threshold(),
            odd.canary_ready_threshold()
        ),
        (1, 100, 0)
    );
    assert_eq!(odd.interval(floor), DEFAULT_INTERVAL);
    let absent = Analysis::default();
    assert_eq!(
        (
            absent.threshold(),
            absent.primary_ready_threshold(),
            absent.canary_ready_threshold()
        ),
        (1, 100, 100)
    );
    assert_eq!(analysis(json!({"interval": "5s"})).interval(floor), floor);
    assert_eq!(
        analysis(json!({"interval": "1m30s"})).interval(floor),
        Duration::from_secs(90)
    );
}
