use super::{BadHook, Kind, call, checksum, event_calls, of_kind, report, texts, verdict};
use crate::{
    Settings,
    http::{Method, Response},
    seam::{Event, EventType, Trouble},
};
use crds::{
    Canary, CanarySpec, CanaryStatus, Number, Phase,
    analysis::{Analysis, Webhook},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

fn canary(webhooks: Vec<Webhook>) -> Canary {
    let mut canary = Canary::new("podinfo", CanarySpec::default());
    canary.metadata.namespace = Some("test".into());
    canary.spec.analysis = Some(Analysis {
        webhooks,
        ..Analysis::default()
    });
    canary.status = Some(CanaryStatus {
        last_applied_spec: Some("4cb74184589".into()),
        ..CanaryStatus::default()
    });
    canary
}

fn hook(name: &str, kind: Option<&str>) -> Webhook {
    Webhook {
        name: name.into(),
        kind: kind.map(String::from),
        url: "http://tester.test/x".into(),
        ..Webhook::default()
    }
}

fn answer(status: u16, body: &str) -> Response {
    Response {
        status,
        body: body.into(),
        retry_after: None,
    }
}

fn body(request: &crate::http::Request) -> Value {
    serde_json::from_str(&request.body).unwrap()
}

#[test]
fn checksums_equal_the_peers() {
    let map = |entries: &[(&str, &str)]| {
        let owned = entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Some(owned.collect::<BTreeMap<_, _>>())
    };
    let cases = [
        (None, "4cb74184589", "7c9d467496"),
        (
            map(&[("test-config-map", "484637c76acaa7c6")]),
            "4cb74184589",
            "569bdb7cb9",
        ),
        (
            map(&[("secret/b", "1"), ("configmap/a", "2")]),
            "4cb74184589",
            "5c96d94f6c",
        ),
        (map(&[]), "", "68bf6f479b"),
        (None, "", "758df7c9fc"),
        (map(&[]), "5fc94b7ccf", "54ffbd9594"),
        (map(&[]), "d645bf5c6", "759c764c89"),
    ];
    for (tracked_configs, applied, expected) in cases {
        let status = CanaryStatus {
            tracked_configs,
            last_applied_spec: Some(applied.into()),
            ..CanaryStatus::default()
        };
        assert_eq!(checksum(&status), expected);
    }
    assert_eq!(checksum(&CanaryStatus::default()), "758df7c9fc");
}

#[test]
fn hooks_are_found_by_kind_in_list_order() {
    let hooks = [
        ("a", None),
        ("b", Some("rollout")),
        ("c", Some("")),
        ("d", Some("confirm-rollout")),
        ("e", Some("pre-rollout")),
        ("f", Some("confirm-traffic-increase")),
        ("g", Some("confirm-promotion")),
        ("h", Some("post-rollout")),
        ("i", Some("rollback")),
        ("j", Some("event")),
        ("k", Some("nonsense")),
    ];
    let canary = canary(hooks.map(|(name, kind)| hook(name, kind)).to_vec());
    let names = |kind| {
        of_kind(&canary, kind)
            .into_iter()
            .map(|hook| hook.name.as_str())
            .collect::<String>()
    };
    let cases = [
        (Kind::Rollout, "abc"),
        (Kind::ConfirmRollout, "d"),
        (Kind::PreRollout, "e"),
        (Kind::ConfirmTrafficIncrease, "f"),
        (Kind::ConfirmPromotion, "g"),
        (Kind::PostRollout, "h"),
        (Kind::Rollback, "i"),
        (Kind::Event, "j"),
    ];
    for (kind, expected) in cases {
        assert_eq!(names(kind), expected, "{kind:?}");
    }
}

#[test]
fn calls_carry_the_documented_payload() {
    let mut load = hook("load", None);
    let canary = canary(Vec::new());
    let made = call(&canary, &load, Phase::Progressing).unwrap();
    let plain = json!({"name": "podinfo", "namespace": "test", "phase": "Progressing", "checksum": "7c9d467496"});
    assert_eq!(body(&made.request), plain, "no metadata, no key");
    assert_eq!((made.name.as_str(), made.retries), ("load", 0));
    assert_eq!(
        (made.request.method, made.request.timeout),
        (Method::Post, Duration::from_secs(10))
    );
    assert_eq!(
        made.request.headers,
        [("Content-Type".into(), "application/json".into())]
    );
    assert!(!made.request.skip_tls_verify);
    load.metadata = BTreeMap::from([("cmd".into(), "hey".into())]);
    load.disable_tls = Some(true);
    load.retries = Some(Number(2.0));
    load.timeout = Some("5s".into());
    load.url = "https://u:p@tester.test/x?a=b".into();
    let made = call(&canary, &load, Phase::Failed).unwrap();
    assert_eq!(body(&made.request)["metadata"], json!({"cmd": "hey"}));
    assert_eq!(body(&made.request)["phase"], "Failed");
    assert_eq!((made.retries, made.request.timeout), (2, Duration::from_secs(5)));
    assert_eq!(made.request.url, "https://tester.test/x?a=b");
    assert_eq!(made.request.headers[1], ("Authorization".into(), "Basic dTpw".into()));
    assert!(made.request.skip_tls_verify);
}

#[test]
fn timeouts_and_retries_are_bounded() {
    let timeouts = [
        (None, Ok(10)),
        (Some(""), Ok(10)),
        (Some("5"), Ok(10)),
        (Some("1m30s"), Ok(90)),
        (Some("500m"), Ok(3600)),
        (Some("10"), Err(BadHook::Timeout("10".into()))),
        (Some("0s"), Err(BadHook::Timeout("0s".into()))),
        (Some("soon"), Err(BadHook::Timeout("soon".into()))),
    ];
    for (text, seconds) in timeouts {
        let mut load = hook("load", None);
        load.timeout = text.map(String::from);
        let timeout = call(&canary(Vec::new()), &load, Phase::Progressing).map(|call| call.request.timeout.as_secs());
        assert_eq!(timeout, seconds);
    }
    let retries = [
        (10.0, Ok(10)),
        (1e12, Ok(10)),
        (-1.0, Err(BadHook::Retries("-1".into()))),
        (1.5, Err(BadHook::Retries("1.5".into()))),
    ];
    for (number, expected) in retries {
        let mut load = hook("load", None);
        load.retries = Some(Number(number));
        assert_eq!(
            call(&canary(Vec::new()), &load, Phase::Progressing).map(|call| call.retries),
            expected
        );
    }
    for url in ["", "tester", "/x", "ftp://x/y", "file:///etc/passwd"] {
        let mut load = hook("load", None);
        load.url = url.into();
        let refused = call(&canary(Vec::new()), &load, Phase::Progressing);
        assert!(matches!(refused, Err(BadHook::Address(_))), "{url}");
    }
}

#[test]
fn every_2xx_is_consent_and_bodies_are_shown() {
    for status in [200, 201, 202, 203, 204, 206, 299] {
        assert_eq!(verdict(&Ok(answer(status, "whatever"))), Ok(()));
    }
    let cases = [
        (Ok(answer(400, "acceptance test failed\n")), "acceptance test failed"),
        (Ok(answer(403, "")), "status 403 Forbidden"),
        (Ok(answer(302, "")), "status 302"),
        (Ok(answer(429, "slow down")), "status 429 Too Many Requests: slow down"),
        (
            Ok(answer(500, "helm test failed")),
            "status 500 Internal Server Error: helm test failed",
        ),
        (Ok(answer(599, "")), "status 599"),
        (Ok(answer(400, "a\u{0}b\nc")), "a b\nc"),
        (
            Err(Trouble::Unavailable("timed out after 10s".into())),
            "timed out after 10s",
        ),
    ];
    for (answer, cause) in cases {
        assert_eq!(verdict(&answer), Err(cause.to_owned()));
    }
    let long = verdict(&Ok(answer(400, &"é".repeat(1000)))).unwrap_err();
    assert_eq!(long, "é".repeat(256) + "…");
}

#[test]
fn outcomes_read_as_recorded() {
    let canary = canary(Vec::new());
    let normal = |text: &str| Some((EventType::Normal, text.to_owned()));
    let warning = |text: &str| Some((EventType::Warning, text.to_owned()));
    let halt = "Halt podinfo.test advancement";
    let cases = [
        (
            Kind::ConfirmRollout,
            normal("Confirm-rollout check x passed"),
            warning(&format!("{halt} waiting for approval x")),
        ),
        (
            Kind::PreRollout,
            normal("Pre-rollout check x passed"),
            warning(&format!("{halt} pre-rollout check x failed scripted 400")),
        ),
        (
            Kind::Rollout,
            None,
            warning(&format!("{halt} external check x failed scripted 400")),
        ),
        (
            Kind::ConfirmTrafficIncrease,
            normal("Confirm-traffic-increase check x passed"),
            warning(&format!("{halt} waiting for traffic increase approval x")),
        ),
        (
            Kind::ConfirmPromotion,
            normal("Confirm-promotion check x passed"),
            warning(&format!("{halt} waiting for promotion approval x")),
        ),
        (
            Kind::PostRollout,
            normal("Post-rollout check x passed"),
            warning("Post-rollout hook x failed scripted 400"),
        ),
        (
            Kind::Rollback,
            warning("Rollback check x passed"),
            normal("Rollback hook x not signaling a rollback"),
        ),
        (Kind::Event, None, None),
    ];
    for (kind, passed, refused) in cases {
        let say = |outcome: Result<(), String>| {
            let event = report(kind, &canary, "x", &outcome, Phase::Progressing)?;
            assert_eq!(event.phase, Phase::Progressing);
            Some((event.severity, event.message))
        };
        assert_eq!(say(Ok(())), passed, "{kind:?}");
        assert_eq!(say(Err("scripted 400".into())), refused, "{kind:?}");
    }
    assert_eq!(
        texts::manual_rollback(&canary),
        "Rolling back podinfo.test manual webhook invoked"
    );
}

#[test]
fn events_go_to_the_canarys_receivers_or_else_to_the_global_one() {
    let at = Timestamp::from_millisecond(1_700_000_000_000).unwrap();
    let event = Event::warning(Phase::Failed, "Canary failed! Scaling down podinfo.test");
    let mut settings = Settings::default();
    let without = canary(Vec::new());
    assert_eq!(event_calls(&without, &settings, &event, at), []);
    settings.event_webhook = "http://global.test/".into();
    let calls = event_calls(&without, &settings, &event, at);
    let global = calls[0].as_ref().unwrap();
    assert_eq!((global.name.as_str(), global.retries), ("event-webhook", 0));
    let expected = json!({
        "name": "podinfo", "namespace": "test", "phase": "Failed", "checksum": "7c9d467496",
        "metadata": {
            "eventMessage": "Canary failed! Scaling down podinfo.test", "eventType": "Warning", "timestamp": "1700000000000"
        }
    });
    assert_eq!(body(&global.request), expected);
    let mut own = hook("events", Some("event"));
    own.metadata = BTreeMap::from([("team".into(), "pay".into()), ("eventType".into(), "mine".into())]);
    let broken = Webhook {
        url: "nowhere".into(),
        ..own.clone()
    };
    let calls = event_calls(&canary(vec![own, broken]), &settings, &event, at);
    assert_eq!(calls.len(), 2, "the global receiver is left out");
    let metadata = &body(&calls[0].as_ref().unwrap().request)["metadata"];
    assert_eq!(
        (&metadata["team"], &metadata["eventType"]),
        (&json!("pay"), &json!("Warning"))
    );
    assert!(calls[1].is_err());
}

#[test]
fn receivers_of_events_can_ask_for_credentials() {
    let event = Event::warning(Phase::Failed, "Canary failed! Scaling down podinfo.test");
    let settings = Settings {
        event_webhook: "https://flagger:s3cret@events.test/hook".into(),
        ..Settings::default()
    };
    let own = Webhook {
        url: "https://team:w0rd@own.test/?key=1".into(),
        ..hook("events", Some("event"))
    };
    let cases = [
        (Vec::new(), "https://events.test/hook", "Basic ZmxhZ2dlcjpzM2NyZXQ="),
        (vec![own], "https://own.test/?key=1", "Basic dGVhbTp3MHJk"),
    ];
    for (hooks, url, credentials) in cases {
        let calls = event_calls(&canary(hooks), &settings, &event, Timestamp::UNIX_EPOCH);
        let request = &calls[0].as_ref().unwrap().request;
        assert_eq!(request.url, url, "they are in no log");
        let sent = ("Authorization".to_owned(), credentials.to_owned());
        assert!(request.headers.contains(&sent), "{request:?}");
    }
}
