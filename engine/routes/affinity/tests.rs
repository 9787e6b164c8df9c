//! The state machine of routers-mesh.md 0.9, the worked example of 3.7, and what is better here (RM-10, W-31).

use super::*;
use crds::Canary;
use serde_json::json;

fn canary(affinity: &Value, status: &Value) -> Canary {
    let object = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "cart", "namespace": "shop", "uid": "c0ffee"},
        "spec": {
            "targetRef": {"kind": "Deployment", "name": "cart"},
            "service": {"port": 8080},
            "analysis": {"interval": "30s", "stepWeight": 30, "sessionAffinity": affinity},
        },
        "status": status,
    });
    crds::decode::decode(&object).unwrap()
}

fn context<'a>(canary: &'a Canary, live: Option<&'a Value>, entropy: u64) -> Context<'a> {
    Context {
        canary,
        current: vec![live],
        selector_key: None,
        selector_value: None,
        entropy,
        flags: crate::routes::Flags::default(),
    }
}

fn cookies(canary: &Canary, live: Option<&Value>, share: i64, observed: i64) -> Cookies {
    let observed = Some(Split::of(observed));
    Cookies::of(&context(canary, live, 1), Split::of(share), observed).expect("affinity is asked for")
}

fn rules(canary: &Canary, share: i64) -> Rules {
    let analysis = canary.spec.analysis.as_ref().unwrap();
    cookies(canary, None, share, 0).rules(analysis, Split::of(share))
}

/// A route that gives out these cookies, in the form of either provider.
fn giving_out(texts: &[&str]) -> [Value; 2] {
    let istio: Vec<Value> = texts
        .iter()
        .map(|text| json!({"headers": {"response": {"add": {"Set-Cookie": text}}}}))
        .collect();
    let gateway: Vec<Value> = texts
        .iter()
        .map(|text| json!({"filters": [{"responseHeaderModifier": {"add": [{"name": "Set-Cookie", "value": text}]}}]}))
        .collect();
    [
        json!({"spec": {"http": [{"route": istio}]}}),
        json!({"spec": {"rules": [{"backendRefs": gateway}]}}),
    ]
}

/// routers-mesh.md 3.7.
#[test]
fn the_worked_example() {
    let affinity = json!({"cookieName": "rel", "primaryCookieName": "relp", "maxAge": 600, "secure": true});
    let canary = canary(&affinity, &json!({"sessionAffinityCookie": "rel=QwErTyUiOp"}));
    let primary = letters(b"QwErTyUiOp 30");
    let expected = Rules {
        sticky: vec![
            Sticky {
                regex: ".*rel.*QwErTyUiOp.*".into(),
                split: Split::CANARY,
                set_cookie: None,
            },
            Sticky {
                regex: format!(".*relp.*{primary}.*"),
                split: Split::PRIMARY,
                set_cookie: None,
            },
        ],
        on_primary: Some(format!("relp={primary}; Max-Age=30; Secure")),
        on_canary: Some("rel=QwErTyUiOp; Max-Age=600; Secure".into()),
    };
    assert_eq!(rules(&canary, 30), expected);
    let over = Rules {
        sticky: vec![Sticky {
            regex: ".*rel.*QwErTyUiOp.*".into(),
            split: Split::PRIMARY,
            set_cookie: Some("rel=QwErTyUiOp; Max-Age=-1; Secure".into()),
        }],
        ..Rules::default()
    };
    assert_eq!(rules(&canary, 0), over);
}

/// A browser forgets a cookie only under the attributes that it was set with (RM-10, observed.md A6).
#[test]
fn a_cookie_is_taken_back_as_it_was_given() {
    let affinity = json!({
        "cookieName": "c", "maxAge": 21600, "domain": "example.com", "httpOnly": true, "partitioned": true, "path": "/x",
        "sameSite": "Strict", "secure": true,
    });
    let canary = canary(&affinity, &json!({"sessionAffinityCookie": "c=abc"}));
    let attributes = "Domain=example.com; HttpOnly; Partitioned; Path=/x; SameSite=Strict; Secure";
    let given = rules(&canary, 10).on_canary.unwrap();
    assert_eq!(given, format!("c=abc; Max-Age=21600; {attributes}"));
    let taken = rules(&canary, 0).sticky.remove(0).set_cookie.unwrap();
    assert_eq!(taken, format!("c=abc; Max-Age=-1; {attributes}"));
}

#[test]
fn the_age_has_a_default() {
    for (age, expected) in [(Value::Null, 86_400), (json!(0), 86_400), (json!(5), 5)] {
        let canary = canary(
            &json!({"cookieName": "c", "maxAge": age}),
            &json!({"sessionAffinityCookie": "c=abc"}),
        );
        assert_eq!(
            rules(&canary, 10).on_canary.unwrap(),
            format!("c=abc; Max-Age={expected}")
        );
    }
}

/// From one run to the next: drawn at the first step, kept, taken back, drawn anew.
#[test]
fn a_cookie_lives_for_a_run() {
    let affinity = json!({"cookieName": "c"});
    let mut status = json!({"lastAppliedSpec": "one"});
    let stored = |status: &Value, share: i64, observed: i64| {
        let canary = canary(&affinity, status);
        let mut next = canary.status.clone().unwrap();
        cookies(&canary, None, share, observed).store(&mut next);
        serde_json::to_value(next).unwrap()
    };
    status = stored(&status, 0, 0);
    assert_eq!(
        status.get("sessionAffinityCookie"),
        None,
        "nothing is drawn before there is a user"
    );
    status = stored(&status, 30, 0);
    let first = status["sessionAffinityCookie"].clone();
    let value = first.as_str().unwrap().strip_prefix("c=").unwrap();
    assert!(
        value.len() == 10 && value.chars().all(|letter| letter.is_ascii_alphabetic()),
        "{value}"
    );
    assert_eq!(status.get("primarySessionAffinityCookie"), None, "observed.md A5");
    status = stored(&status, 60, 30);
    assert_eq!(status["sessionAffinityCookie"], first);
    status = stored(&status, 0, 60);
    assert_eq!(status.get("sessionAffinityCookie"), None);
    assert_eq!(status["previousSessionAffinityCookie"], first);
    assert_eq!(stored(&status, 0, 0), status, "at rest nothing moves");
    status["lastAppliedSpec"] = json!("two");
    status = stored(&status, 30, 0);
    assert_ne!(
        status["sessionAffinityCookie"], first,
        "another one for another run, even by the same chance"
    );
}

/// "A fresh primary cookie at every step": the peer keeps one for ever (W-31).
#[test]
fn the_primarys_cookie_changes_with_each_step_and_only_then() {
    let canary = canary(
        &json!({"cookieName": "c", "primaryCookieName": "p"}),
        &json!({"sessionAffinityCookie": "c=abc"}),
    );
    let primary =
        |live: Option<&Value>, share, observed| cookies(&canary, live, share, observed).primary.unwrap().value;
    let (ten, twenty) = (primary(None, 10, 0), primary(None, 20, 10));
    assert_ne!(ten, twenty);
    for live in giving_out(&["p=Peers; Max-Age=30", "c=abc; Max-Age=60"]) {
        assert_eq!(
            primary(Some(&live), 10, 10),
            "Peers",
            "what users carry at this step stays"
        );
        assert_eq!(primary(Some(&live), 20, 10), twenty, "and goes with the next one");
    }
    for live in giving_out(&["p=.*; Max-Age=30"]) {
        assert_eq!(
            primary(Some(&live), 10, 10),
            ten,
            "a foreign value does not become an expression"
        );
    }
    let analysis = canary.spec.analysis.as_ref().unwrap();
    let all = cookies(&canary, None, 100, 100).rules(analysis, Split::CANARY);
    assert_eq!(all.sticky.len(), 1, "a primary without traffic gets none by cookie");
    assert_eq!(all.on_primary, None);
}

/// The controller stopped between the write of the route and that of the status: users carry a cookie that the status does not know.
#[test]
fn a_cookie_that_only_the_route_has_is_taken_over() {
    let canary = canary(&json!({"cookieName": "c"}), &json!({}));
    for live in giving_out(&["c=OnTheRoute; Max-Age=86400", "old=Gone; Max-Age=-1"]) {
        let kept = cookies(&canary, Some(&live), 30, 30);
        assert_eq!(kept.canary.unwrap().text(), "c=OnTheRoute");
        let ended = cookies(&canary, Some(&live), 0, 30);
        assert_eq!(ended.previous.unwrap().text(), "c=OnTheRoute");
    }
    for live in giving_out(&["c=Gone; Max-Age=-1"]) {
        assert_ne!(
            cookies(&canary, Some(&live), 30, 0).canary.unwrap().value,
            "Gone",
            "taken back already"
        );
        let older = json!({"previousSessionAffinityCookie": "c=Older"});
        let before = super::tests::canary(&json!({"cookieName": "c"}), &older);
        let resting = cookies(&before, Some(&live), 0, 0);
        assert_eq!(resting.previous.unwrap().value, "Gone", "the route is the newer one");
    }
}

/// What the peer stores without `primaryCookieName` (observed.md A5), and a cookie that was renamed in the middle of a run.
#[test]
fn what_is_stored_is_read_with_care() {
    let status = json!({"sessionAffinityCookie": "old=abc", "primarySessionAffinityCookie": "=xyz"});
    let canary = canary(&json!({"cookieName": "new"}), &status);
    let running = cookies(&canary, None, 30, 30);
    assert_eq!(running.canary.as_ref().unwrap().name, "new");
    for live in giving_out(&["new=OnTheRoute; Max-Age=86400"]) {
        let kept = cookies(&canary, Some(&live), 30, 30).canary.unwrap();
        assert_eq!(kept.text(), "new=OnTheRoute", "renamed, and stopped before the status");
    }
    assert_eq!(running.primary, None);
    let mut stored = canary.status.clone().unwrap();
    running.store(&mut stored);
    assert_eq!(stored.primary_session_affinity_cookie.as_deref(), Some("=xyz"));
    let ended = cookies(&canary, None, 0, 30);
    assert_eq!(
        ended.previous.unwrap().text(),
        "old=abc",
        "taken back under its own name"
    );
}

#[test]
fn names_are_no_expressions() {
    assert_eq!(Cookie::new("a.b+c", "x".into()).regex(), r".*a\.b\+c.*x.*");
    assert_eq!(
        Cookie::new("flagger-cookie", "x".into()).regex(),
        ".*flagger-cookie.*x.*"
    );
}
