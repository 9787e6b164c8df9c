//! What is refused, which split is read, when a gateway holds a run.

use super::*;

/// RM-2 and routers-mesh.md 4.1, 4.2: what cannot be said is refused, with its place.
#[test]
fn refusals() {
    let cases = [
        (json!({"service": {"gatewayRefs": null}}), "spec.service.gatewayRefs"),
        (json!({"service": {"port": 80.5}}), "spec.service.port"),
        (
            json!({"service": {"match": [{"uri": {}}]}}),
            "spec.service.match[0].uri",
        ),
        (
            json!({"service": {"match": [{}, {"method": {"prefix": "G"}}]}}),
            "spec.service.match[1].method",
        ),
        (
            json!({"service": {"match": [{"headers": {"a": {"prefix": "x"}}}]}}),
            "spec.service.match[0].headers.a",
        ),
        (
            json!({"service": {"match": [{"queryParams": {"a": {}}}]}}),
            "spec.service.match[0].queryParams.a",
        ),
        (json!({"service": {"mirror": [{}]}}), "spec.service.mirror[0]"),
        (
            json!({"analysis": {"match": [{"headers": {"a": {"suffix": "x"}}}]}}),
            "spec.analysis.match[0].headers.a",
        ),
        (
            json!({"analysis": {"match": [{"sourceLabels": {"a": "b"}}]}}),
            "spec.analysis.match[0].sourceLabels",
        ),
        (
            json!({"analysis": {"match": [{"headers": {"a": {"exact": "x"}}, "sourceLabels": {"a": "b"}}]}}),
            "spec.analysis.match[0].sourceLabels",
        ),
        (
            json!({"analysis": {"match": [{}]}}),
            "spec.analysis.match[0]: it would match every request",
        ),
    ];
    for (changes, start) in cases {
        let refused = V1
            .desired(&context(&canary(&changes), None), Split::PRIMARY)
            .unwrap_err()
            .to_string();
        assert!(refused.starts_with(start), "{changes}: {refused}");
    }
}

#[test]
fn reads_the_split() {
    let primary = |weight: Value| json!({"name": "app-primary", "weight": weight});
    let share = |weight: Value| json!({"name": "app-canary", "weight": weight});
    let cases = [
        (
            json!([{"backendRefs": [primary(json!(70)), share(json!(30))]}]),
            Some(30),
        ),
        (
            json!([{"backendRefs": [share(json!(30)), primary(json!(70))]}]),
            Some(30),
        ),
        // The last one counts: sticky rules stand before it.
        (
            json!([{"backendRefs": [primary(json!(0)), share(json!(100))]}, {"backendRefs": [primary(json!(80)), share(json!(20))]}]),
            Some(20),
        ),
        (
            json!([{"backendRefs": [primary(json!(80)), share(json!(20))]}, {"backendRefs": [primary(json!(100))]}]),
            Some(20),
        ),
        // By hand: shares, and the default weight 1.
        (json!([{"backendRefs": [primary(json!(1)), share(json!(3))]}]), Some(75)),
        (
            json!([{"backendRefs": [primary(Value::Null), share(Value::Null)]}]),
            Some(50),
        ),
        (json!([{"backendRefs": [primary(json!(0)), share(json!(0))]}]), None),
        (json!([{"backendRefs": [primary(json!(1)), {"name": "other"}]}]), None),
        (
            json!([{"backendRefs": [primary(json!(1)), share(json!(1)), {"name": "other"}]}]),
            None,
        ),
        (json!([]), None),
    ];
    let canary = canary(&json!({}));
    for (rules, expected) in cases {
        let route = json!({"spec": {"rules": rules}});
        let found = observed(&context(&canary, Some(&route)));
        let expected = expected
            .map(Split::of)
            .ok_or_else(|| Unready::NoSplit("HTTPRoute app.test".into()));
        assert_eq!(found, expected, "{rules}");
    }
    assert_eq!(
        observed(&context(&canary, None)),
        Err(Unready::Absent("HTTPRoute app.test".into()))
    );
}

/// routers-mesh.md 4.3, and RM-11 for parents that report no generation.
#[test]
fn readiness_gate() {
    let canary = canary(&json!({}));
    let ours = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "namespace": "default"});
    let report =
        |parent: &Value, condition: Value| json!({"parents": [{"parentRef": parent, "conditions": [condition]}]});
    let yes = |generation: Value| json!({"type": "Accepted", "status": "True", "observedGeneration": generation});
    let no = json!({"type": "Accepted", "status": "False", "reason": "NotAllowed", "message": "no", "observedGeneration": 3});
    let cases = [
        (Value::Null, None),
        (report(&ours, yes(json!(3))), None),
        (report(&ours, yes(Value::Null)), None),
        (report(&ours, json!({"type": "ResolvedRefs", "status": "False"})), None),
        (report(&json!({"name": "other"}), no.clone()), None),
        (report(&ours, yes(json!(2))), Some("it has seen generation 2 of 3")),
        (report(&ours, no.clone()), Some("NotAllowed: no")),
        (
            report(&json!({"name": "gw", "namespace": "default"}), no),
            Some("NotAllowed: no"),
        ),
    ];
    for (status, expected) in cases {
        let mut route = stored(made(&canary, Split::of(20)));
        route["metadata"]["generation"] = json!(3);
        route["status"] = status.clone();
        let found = accepted(&context(&canary, Some(&route)));
        let expected = expected.map_or(Ok(()), |why| {
            Err(Unready::NotAccepted {
                route: "HTTPRoute app.test".into(),
                parent: "default/gw".into(),
                why: why.into(),
            })
        });
        assert_eq!(found, expected, "{status}");
        assert_eq!(
            observed(&context(&canary, Some(&route))),
            Ok(Split::of(20)),
            "the weights stay readable"
        );
    }
    assert_eq!(
        accepted(&context(&canary, None)),
        Err(Unready::Absent("HTTPRoute app.test".into()))
    );
}

/// RM-34: everything that a route of ours leads to is beside it, in whatever state of a run.
#[test]
fn backends_are_at_home() {
    let affinity = json!({"analysis": {"sessionAffinity": {"cookieName": "c", "primaryCookieName": "p"}}});
    for (changes, split) in [
        (json!({}), Split::of(40)),
        (json!({"analysis": {"mirror": true}}), Split::PRIMARY.mirrored()),
        (affinity, Split::of(40)),
    ] {
        let route = made(&canary(&changes), split);
        assert_eq!(route["metadata"]["namespace"], NAMESPACE);
        let rules = route["spec"]["rules"].to_string();
        assert!(rules.contains("app-canary") && !rules.contains("namespace"), "{rules}");
    }
}

/// RM-35: a mesh's parent is the apex Service, with all that a parent may have.
#[test]
fn a_mesh_is_a_parent() {
    for group in ["core", ""] {
        let parent = json!({"group": group, "kind": "Service", "name": "app", "port": 9898});
        let canary = canary(&json!({"service": {"gatewayRefs": [parent]}}));
        let route = made(&canary, Split::of(40));
        assert_eq!(route["spec"]["parentRefs"], json!([parent]));
        assert_eq!(V1.refused(&canary), None);
    }
}
