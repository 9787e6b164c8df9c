//! Rules for cookies.

use super::*;

/// Recorded scenario `affinity-istio`: at weight 30, and after the run.
#[test]
fn affinity() {
    let changes = json!({"analysis": {"sessionAffinity": {"cookieName": "flagger-cookie", "maxAge": 21600}}});
    let canary = canary_with(&changes, &json!({"sessionAffinityCookie": "flagger-cookie=abc"}));
    let sticky = json!([{"headers": {"Cookie": {"regex": ".*flagger-cookie.*abc.*"}}}]);
    let set = |text: &str| json!({"response": {"add": {"Set-Cookie": text}}});
    let mut shared = both(70, 30);
    shared[1]["headers"] = set("flagger-cookie=abc; Max-Age=21600");
    let objects = made(&canary, Split::of(30));
    let expected = json!([{"match": sticky, "route": both(0, 100)}, {"route": shared}]);
    assert_eq!(objects[2]["spec"]["http"], expected);
    assert_eq!(observed_of(&canary, &objects), Ok(Split::of(30)));
    let after = json!([
        {"match": sticky, "route": both(100, 0), "headers": set("flagger-cookie=abc; Max-Age=-1")},
        {"route": both(100, 0)},
    ]);
    assert_eq!(route(&canary, Split::PRIMARY)["spec"]["http"], after);
}

/// The header that takes a cookie back stands in its own rule only (RM-8), beside the service's headers, under the service's matches (RM-9).
#[test]
fn affinity_goes_with_headers_and_matches() {
    let changes = json!({
        "service": {
            "match": [{"uri": {"prefix": "/a"}, "headers": {"cookie": {"regex": "x"}, "y": {"exact": "1"}}}, {"uri": {"prefix": "/b"}}],
            "headers": {"response": {"add": {"x-served": "app"}}},
        },
        "analysis": {"sessionAffinity": {"cookieName": "c"}},
    });
    let canary = canary_with(&changes, &json!({"previousSessionAffinityCookie": "c=abc"}));
    let objects = made(&canary, Split::PRIMARY);
    let http = &objects[2]["spec"]["http"];
    assert_eq!(
        http[0]["headers"]["response"]["add"],
        json!({"x-served": "app", "Set-Cookie": "c=abc; Max-Age=-1"})
    );
    assert_eq!(http[1]["headers"]["response"]["add"], json!({"x-served": "app"}));
    let cookie = json!({"regex": ".*c.*abc.*"});
    let expected = json!([
        {"uri": {"prefix": "/a"}, "headers": {"Cookie": cookie, "y": {"exact": "1"}}},
        {"uri": {"prefix": "/b"}, "headers": {"Cookie": cookie}},
    ]);
    assert_eq!(http[0]["match"], expected);
    assert_eq!(patches(&canary, &objects, Split::PRIMARY), []);
}
