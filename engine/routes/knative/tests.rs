//! The worked example, and what others make of a Service.

use super::*;
use crate::json::merge;
use crds::Canary;
use proptest::prelude::*;

fn canary(phase: &str) -> Canary {
    crds::decode::decode(&json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"provider": "knative", "targetRef": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "cart"}},
        "status": {"phase": phase},
    }))
    .unwrap()
}

fn service(primary: &str, traffic: &Value) -> Value {
    json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Service",
        "metadata": {"name": "cart", "namespace": "shop", "annotations": {"flagger.app/primary-revision": primary, "mine": "x"}},
        "spec": {"template": {"spec": {}}, "traffic": traffic},
    })
}

fn over<T>(phase: &str, service: &Value, ask: impl FnOnce(&Context<'_>) -> T) -> T {
    let canary = canary(phase);
    ask(&Context {
        canary: &canary,
        current: vec![Some(service)],
        selector_key: None,
        selector_value: None,
        entropy: 0,
        flags: crate::routes::Flags::default(),
    })
}

/// The worked example of routers-mesh.md 10.
#[test]
fn traffic_is_shared_between_the_latest_and_the_primary() {
    let before = service(
        "cart-00004",
        &json!([{"latestRevision": true, "percent": 0}, {"revisionName": "cart-00004", "percent": 100}]),
    );
    for canary in [0, 30, 100] {
        let after = over("Progressing", &before, |context| {
            PROVIDER.desired(context, Split::of(canary))
        })
        .unwrap();
        let expected = json!([
            {"latestRevision": true, "percent": canary},
            {"revisionName": "cart-00004", "percent": 100 - canary},
        ]);
        assert_eq!(after[0]["spec"]["traffic"], expected);
        assert_eq!(after[0]["metadata"], before["metadata"]);
        assert_eq!(
            over("Progressing", &after[0], PROVIDER.observed).unwrap(),
            Split::of(canary)
        );
        assert_eq!(
            over("Progressing", &after[0], |context| PROVIDER
                .writes(context, Split::of(canary)))
            .unwrap(),
            []
        );
    }
}

#[test]
fn tags_and_what_knative_adds_survive() {
    let before = service(
        "b",
        &json!([
            {"latestRevision": true, "percent": 100, "tag": "next"},
            {"revisionName": "b", "latestRevision": false, "percent": 0, "url": "x"},
            {"revisionName": "a", "percent": 0, "tag": "old"},
            {"revisionName": "c", "percent": 0},
        ]),
    );
    let after = over("Progressing", &before, |context| {
        PROVIDER.desired(context, Split::of(20))
    })
    .unwrap();
    let expected = json!([
        {"latestRevision": true, "percent": 20, "tag": "next"},
        {"revisionName": "b", "latestRevision": false, "percent": 80, "url": "x"},
        {"revisionName": "a", "tag": "old"},
    ]);
    assert_eq!(after[0]["spec"]["traffic"], expected);
}

/// RM-14: the primary has the latest revision's name already, and its share the older one's.
#[test]
fn a_promotion_keeps_the_shares_until_all_traffic_moves() {
    let half = json!([{"latestRevision": true, "percent": 50}, {"revisionName": "a", "percent": 50}]);
    let renamed = service("b", &half);
    assert_eq!(
        over("Promoting", &renamed, |context| PROVIDER.writes(context, Split::of(50))).unwrap(),
        []
    );
    let after = over("Promoting", &renamed, |context| {
        PROVIDER.desired(context, Split::of(10))
    })
    .unwrap();
    let expected = json!([{"latestRevision": true, "percent": 10}, {"revisionName": "b", "percent": 90}]);
    assert_eq!(after[0]["spec"]["traffic"], expected);
}

#[test]
fn what_cannot_be_read_is_no_split() {
    for traffic in [
        json!(null),
        json!([]),
        json!([{"latestRevision": true, "percent": 100}]),
        json!([{"revisionName": "a", "percent": 100}]),
    ] {
        let service = service("a", &traffic);
        assert!(over("Progressing", &service, PROVIDER.observed).is_err(), "{traffic}");
    }
    let canary = canary("Progressing");
    let nothing = Context {
        canary: &canary,
        current: vec![None],
        selector_key: None,
        selector_value: None,
        entropy: 0,
        flags: crate::routes::Flags::default(),
    };
    assert_eq!(
        PROVIDER.writes(&nothing, Split::PRIMARY).unwrap(),
        [],
        "the user's Service is never made"
    );
    assert!(PROVIDER.observed(&nothing).is_err());
}

#[test]
fn huge_shares() {
    let huge = json!({"latestRevision": true, "percent": i64::MAX});
    let odd = service("a", &json!([huge, huge, {"revisionName": "a", "percent": i64::MAX}]));
    assert!(over("Progressing", &odd, PROVIDER.observed).is_ok());
}

#[test]
fn routes_that_are_not_ready_hold_the_run() {
    let mut service = service("a", &json!([]));
    assert_eq!(over("Progressing", &service, PROVIDER.accepted), Ok(()));
    service["status"]["conditions"] = json!([{"type": "RoutesReady", "status": "False", "message": "no ingress"}]);
    assert!(
        over("Progressing", &service, PROVIDER.accepted)
            .unwrap_err()
            .to_string()
            .contains("no ingress")
    );
}

fn any_entry() -> impl Strategy<Value = Value> {
    let percent = prop_oneof![
        Just(json!(null)),
        Just(json!("x")),
        Just(json!(i64::MAX)),
        Just(json!(i64::MIN)),
        (0..=100_i64).prop_map(|percent| json!(percent))
    ];
    let name = prop_oneof![Just(json!(null)), Just(json!(7)), Just(json!("a")), Just(json!("b"))];
    let whole = (percent, name, any::<bool>(), any::<bool>()).prop_map(|(percent, name, latest, tagged)| {
        let mut entry = json!({"percent": percent, "revisionName": name, "latestRevision": latest});
        if tagged {
            entry["tag"] = json!("t");
        }
        entry
    });
    prop_oneof![4 => whole, 1 => Just(json!(null)), 1 => Just(json!([]))]
}

proptest! {
    /// W-34, RM-14: the peer's router crashes on Services that somebody else has written. Here no entry, annotation or status is too odd: one
    /// write brings the split, it is read back, and a second pass writes nothing.
    #[test]
    fn no_service_is_too_odd(
        entries in prop::collection::vec(any_entry(), 0..4),
        primary in prop::option::of("[ab]"),
        phase in prop::sample::select(vec!["Progressing", "Promoting", "Succeeded"]),
        status in prop::sample::select(vec![json!(null), json!([]), json!({"traffic": [null]}), json!({"conditions": [{"type": "RoutesReady"}], "traffic": 7})]),
        share in 0..=100_i64,
    ) {
        let mut odd = service("a", &json!(entries));
        merge(&mut odd, &json!({"metadata": {"annotations": {"flagger.app/primary-revision": primary}}, "status": status}));
        drop(over(phase, &odd, PROVIDER.accepted));
        drop(over(phase, &odd, PROVIDER.observed));
        let mut after = odd.clone();
        for write in over(phase, &odd, |context| PROVIDER.writes(context, Split::of(share))).unwrap() {
            let crate::seam::Act::Merge { patch, .. } = write.act else { panic!("the Service is never made") };
            merge(&mut after, &patch);
        }
        if primary.is_some() {
            prop_assert_eq!(over(phase, &after, PROVIDER.observed), Ok(Split::of(share)));
        }
        prop_assert_eq!(over(phase, &after, |context| PROVIDER.writes(context, Split::of(share))), Ok(Vec::new()));
    }
}
