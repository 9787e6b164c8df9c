use super::{age, jsonpath};
use serde_json::json;

#[test]
fn ages_are_written_as_kubectl_writes_them() {
    let now = "2026-01-10T00:00:00Z".parse().unwrap();
    let table = [
        ("2026-01-10T00:00:01Z", "0s"),
        ("2026-01-10T00:00:05Z", "<invalid>"),
        ("2026-01-09T23:58:01Z", "119s"),
        ("2026-01-09T23:58:00Z", "2m"),
        ("2026-01-09T23:57:30Z", "2m30s"),
        ("2026-01-09T23:50:00Z", "10m"),
        ("2026-01-09T21:00:00Z", "3h"),
        ("2026-01-09T20:30:00Z", "3h30m"),
        ("2026-01-09T00:00:00Z", "24h"),
        ("2026-01-07T23:00:00Z", "2d1h"),
        ("2026-01-01T00:00:00Z", "9d"),
        ("2023-01-10T00:00:00Z", "3y1d"),
        ("2010-01-10T00:00:00Z", "16y"),
        ("yesterday", "<unknown>"),
    ];
    for (since, wanted) in table {
        assert_eq!(age(&json!(since), now), wanted, "since {since}");
    }
}

#[test]
fn paths_of_columns_lead_to_values() {
    let object = json!({
        "spec": {"a.b": 1, "list": [{"k": "x", "v": 1}, {"k": "y", "v": 2}]},
        "status": {"phase": "Ready"},
    });
    let table = [
        (".status.phase", vec![json!("Ready")]),
        (".spec.list[0].v", vec![json!(1)]),
        (".spec.list[*].k", vec![json!("x"), json!("y")]),
        (".spec.list[?(@.k==\"y\")].v", vec![json!(2)]),
        (".spec['a.b']", vec![json!(1)]),
        (".spec.none.deep", vec![]),
        (".spec.list[", vec![]),
    ];
    for (path, wanted) in table {
        let found: Vec<_> = jsonpath::find(&object, path).into_iter().cloned().collect();
        assert_eq!(found, wanted, "{path}");
    }
}
