//! RM-31: mirrors of the service's own.

use super::*;

fn with_mirrors(analysis: &Value) -> Canary {
    let audit = json!({"backendRef": {"name": "audit", "namespace": "infra", "port": 80}});
    canary(&json!({"service": {"mirror": [audit, {"backendRef": {"name": "log"}}]}, "analysis": analysis}))
}

/// They are there in every route, at every weight; the analysis' own comes and goes beside them.
#[test]
fn mirrors_of_the_service() {
    let audit = json!({"destination": {"host": "audit.infra.svc.cluster.local", "port": {"number": 80}}});
    let log = json!({"destination": {"host": "log"}});
    let canary = with_mirrors(&json!({"mirror": true, "mirrorWeight": 20}));
    let plain = made(&canary, Split::of(30));
    assert_eq!(plain[2]["spec"]["http"][0]["mirrors"], json!([audit, log]));
    assert_eq!(observed_of(&canary, &plain), Ok(Split::of(30)));

    let mirrored = made(&canary, Split::PRIMARY.mirrored());
    let route = &mirrored[2]["spec"]["http"][0];
    let copy = json!({"destination": {"host": "app-canary"}, "percentage": {"value": 20}});
    assert_eq!(route["mirrors"], json!([audit, log, copy]));
    assert_eq!(route["mirror"], Value::Null, "a route cannot have both forms");
    assert_eq!(observed_of(&canary, &mirrored), Ok(Split::PRIMARY.mirrored()));
    assert_eq!(patches(&canary, &mirrored, Split::PRIMARY.mirrored()).len(), 0);
    let after = patches(&canary, &mirrored, Split::of(30));
    assert_eq!(after.len(), 1, "one write ends the copies and moves the weight");

    let tested = with_mirrors(&json!({"iterations": 1, "match": [{"headers": {"a": {"exact": "b"}}}]}));
    let routes = made(&tested, Split::CANARY)[2]["spec"]["http"].clone();
    assert_eq!(
        (&routes[0]["mirrors"], &routes[1]["mirrors"]),
        (&json!([audit, log]), &json!([audit, log]))
    );
}

#[test]
fn what_istio_cannot_mirror_to_is_refused() {
    for (mirror, expected) in [
        (json!({}), "spec.service.mirror[0]: backendRef is missing"),
        (
            json!({"backendRef": {"kind": "ServiceImport", "group": "a.io", "name": "x"}}),
            "spec.service.mirror[0].backendRef.kind: Istio mirrors to Services only",
        ),
    ] {
        let canary = canary(&json!({"service": {"mirror": [mirror]}}));
        assert_eq!(PROVIDER.refused(&canary).unwrap().to_string(), expected);
    }
}
