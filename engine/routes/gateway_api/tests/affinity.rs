//! Rules for cookies.

use super::*;

/// Recorded scenario `affinity-gatewayapi`: at weight 30, and after the run.
#[test]
fn affinity() {
    let canary = sticky(&json!({}), &json!({"sessionAffinityCookie": "flagger-cookie=abc"}));
    let path = json!({"type": "PathPrefix", "value": "/"});
    let header = json!({"name": "Cookie", "type": "RegularExpression", "value": ".*flagger-cookie.*abc.*"});
    let matches = json!([{"headers": [header], "path": path}]);
    let set = |text: &str| {
        let modifier = json!({"add": [{"name": "Set-Cookie", "value": text}]});
        json!([{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}])
    };
    let mut reached = backend("app-canary", 30);
    reached["filters"] = set("flagger-cookie=abc; Max-Age=21600");
    let during = made(&canary, Split::of(30));
    let expected = json!([
        {"matches": matches, "backendRefs": [backend("app-primary", 0), backend("app-canary", 100)]},
        {"matches": everything(), "backendRefs": [backend("app-primary", 70), reached]},
    ]);
    assert_eq!(during["spec"]["rules"], expected);
    assert_eq!(observed(&context(&canary, Some(&during))), Ok(Split::of(30)));
    let all = json!([backend("app-primary", 100), backend("app-canary", 0)]);
    let expected = json!([
        {"matches": matches, "backendRefs": all, "filters": set("flagger-cookie=abc; Max-Age=-1")},
        {"matches": everything(), "backendRefs": all},
    ]);
    assert_eq!(made(&canary, Split::PRIMARY)["spec"]["rules"], expected);
}

fn sticky(service: &Value, status: &Value) -> Canary {
    let changes = json!({
        "service": service,
        "analysis": {"sessionAffinity": {"cookieName": "flagger-cookie", "maxAge": 21600}},
    });
    let mut canary = canary(&changes);
    canary.status = serde_json::from_value(status.clone()).unwrap();
    canary
}

/// RM-7: a rule has one filter of a kind, with each header once; the peer's second one is refused, and promotion and rollback with it.
#[test]
fn affinity_goes_with_response_headers() {
    let headers = json!({
        "request": {"add": {"x-from": "edge"}},
        "response": {"add": {"set-cookie": "mine=1", "x-served": "app"}, "remove": ["x-drop"]},
    });
    let service = json!({"headers": headers, "rewrite": {"authority": "shop"}});
    let canary = sticky(
        &service,
        &json!({"previousSessionAffinityCookie": "flagger-cookie=abc"}),
    );
    let route = made(&canary, Split::PRIMARY);
    let filters = &route["spec"]["rules"][0]["filters"];
    let served = json!({"name": "x-served", "value": "app"});
    let forget = json!({"name": "Set-Cookie", "value": "flagger-cookie=abc; Max-Age=-1"});
    assert_eq!(
        filters[1]["responseHeaderModifier"],
        json!({"add": [served, forget], "remove": ["x-drop"]})
    );
    assert_eq!(filters.as_array().map(Vec::len), Some(3));
    let others = &route["spec"]["rules"][1]["filters"][1]["responseHeaderModifier"]["add"];
    assert_eq!(
        *others,
        json!([{"name": "set-cookie", "value": "mine=1"}, served]),
        "nobody else's cookie goes"
    );
    let only_requests = sticky(
        &json!({"headers": {"request": {"add": {"a": "b"}}}}),
        &json!({"previousSessionAffinityCookie": "c=abc"}),
    );
    let kinds: Vec<String> = made(&only_requests, Split::PRIMARY)["spec"]["rules"][0]["filters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|filter| filter["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["RequestHeaderModifier", "ResponseHeaderModifier"]);
}

/// With own matches: the cookie narrows each of them, and an A/B test's group (RM-9).
#[test]
fn affinity_goes_with_matches() {
    let service = json!({"match": [{"uri": {"prefix": "/a"}, "headers": {"cookie": {"exact": "x"}, "y": {"exact": "1"}}}, {"uri": {"prefix": "/b"}}]});
    let mut canary = sticky(&service, &json!({"sessionAffinityCookie": "flagger-cookie=abc"}));
    let cookie = json!({"name": "Cookie", "type": "RegularExpression", "value": ".*flagger-cookie.*abc.*"});
    let expected = json!([
        {"path": {"type": "PathPrefix", "value": "/a"}, "headers": [cookie, {"name": "y", "type": "Exact", "value": "1"}]},
        {"path": {"type": "PathPrefix", "value": "/b"}, "headers": [cookie]},
    ]);
    assert_eq!(made(&canary, Split::of(30))["spec"]["rules"][0]["matches"], expected);
    let chosen = serde_json::from_value(json!([{"headers": {"x-who": {"exact": "me"}}}])).unwrap();
    canary.spec.analysis.as_mut().unwrap().matches = chosen;
    let route = made(&canary, Split::of(30));
    let rules = route["spec"]["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 3, "by cookie, by weight, everybody else");
    for found in rules[0]["matches"].as_array().unwrap() {
        let headers = found["headers"].as_array().unwrap();
        assert!(headers.contains(&cookie) && headers.iter().any(|header| header["name"] == "x-who"));
    }
    assert_eq!(rules[2]["backendRefs"], json!([backend("app-primary", 100)]));
}
