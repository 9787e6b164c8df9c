use super::{Ledger, Pod};
use crate::demo::promql::{self, Value, store::Store};

fn pod(workload: &str, version: &str) -> Pod {
    Pod {
        workload: workload.to_owned(),
        image: format!("example.com/app:{version}"),
    }
}

#[test]
fn pods_are_named_as_the_builtin_queries_expect_them() {
    let name = pod("good-primary", "1.0.0").name();
    let segments: Vec<&str> = name.split('-').collect();
    assert_eq!(segments.len(), 4, "{name}");
    assert!(
        segments
            .iter()
            .all(|segment| segment.chars().all(|c| c.is_ascii_alphanumeric()))
    );
    assert_ne!(pod("good", "1.0.0").name(), pod("good", "2.0.0").name());
    assert_eq!(pod("good", "2.0.0").version(), "2.0.0");
}

#[test]
fn requests_are_counted_by_server_and_by_the_weights_that_routed_them() {
    let ledger = Ledger::default();
    let (old, new) = (pod("app-primary", "1"), pod("app-primary", "2"));
    ledger.count(&old, Some(3), true, 0.001);
    ledger.count(&new, Some(3), false, 0.001);
    ledger.count(&new, Some(4), true, 0.001);
    ledger.count(&new, None, true, 0.001);
    assert_eq!(ledger.routed("app-primary", 3), 2, "both versions of the workload");
    assert_eq!(ledger.routed("app-primary", 4), 1);
    assert_eq!(ledger.routed("app", 3), 0);
    assert_eq!(ledger.seen(&new), (3, 1));
    assert_eq!(ledger.seen(&pod("app", "1")), (0, 0));
}

#[test]
fn a_scrape_gives_count_and_cumulative_buckets() {
    let (ledger, mut store) = (Ledger::default(), Store::default());
    let (seen, silent) = (pod("app", "2"), pod("other", "1"));
    ledger.open(&silent);
    for seconds in [0.001, 0.02, 0.02, 7.0] {
        ledger.count(&seen, None, true, seconds);
    }
    ledger.count(&seen, None, false, 0.02);
    ledger.scrape(&[seen, silent], &mut store, 1_000);
    let table = [
        (
            r#"sum(http_request_duration_seconds_count{kubernetes_pod_name=~"app-.*"})"#,
            5.0,
        ),
        (r#"sum(http_request_duration_seconds_count{status!~"5.*"})"#, 4.0),
        (r#"sum(http_request_duration_seconds_bucket{le="0.005"})"#, 1.0),
        (r#"sum(http_request_duration_seconds_bucket{le="0.025"})"#, 4.0),
        (r#"sum(http_request_duration_seconds_bucket{le="1"})"#, 4.0),
        (r#"sum(http_request_duration_seconds_bucket{le="+Inf"})"#, 5.0),
        (
            r#"count(http_request_duration_seconds_count{kubernetes_namespace="demo"})"#,
            4.0,
        ),
    ];
    for (query, expected) in table {
        let Ok(Value::Vector(points)) = promql::evaluate(query, &store, 2_000) else {
            panic!("{query}");
        };
        assert_eq!(points.first().map(|point| point.value), Some(expected), "{query}");
    }
}
