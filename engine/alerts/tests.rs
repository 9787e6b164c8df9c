use super::{Delivery, Undeliverable, route, texts};
use crate::{
    ObjectRef, Settings,
    configs::Digest,
    http::{Method, Response},
    objects::kinds,
    seam::{Alert, Reason, Seen, Severity, Trouble, View},
    settings::GlobalAlerts,
};
use crds::{
    Canary, CanarySpec, Number,
    analysis::{Alert as Entry, Analysis, CrossNamespaceRef},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

mod formats;
mod payloads;

struct Cluster(BTreeMap<ObjectRef, Value>);

impl View for Cluster {
    fn object(&self, of: &ObjectRef) -> Seen {
        self.0
            .get(of)
            .map_or(Seen::Absent, |object| Seen::Present(Arc::new(object.clone())))
    }
    fn digest(&self, _: &ObjectRef, _: &str) -> Option<Digest> {
        None
    }
}

fn provider(name: &str, namespace: &str, spec: &Value) -> (ObjectRef, Value) {
    let object = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "AlertProvider",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    });
    (kinds::ALERT_PROVIDER.named(namespace, name), object)
}

fn entry(name: &str, severity: Option<&str>, namespace: Option<&str>) -> Entry {
    Entry {
        name: name.into(),
        severity: severity.map(String::from),
        provider_ref: CrossNamespaceRef {
            name: name.into(),
            namespace: namespace.map(String::from),
        },
    }
}

fn canary(alerts: Vec<Entry>) -> Canary {
    let mut spec = CanarySpec::default();
    spec.target_ref.kind = "Deployment".into();
    spec.target_ref.name = "app".into();
    spec.analysis = Some(Analysis {
        threshold: Some(Number(3.0)),
        step_weight: Some(Number(50.0)),
        max_weight: Some(Number(50.0)),
        alerts,
        ..Analysis::default()
    });
    let mut canary = Canary::new("app", spec);
    canary.metadata.namespace = Some("t".into());
    canary
}

fn to_slack(cluster_name: &str) -> Settings {
    Settings {
        cluster_name: cluster_name.into(),
        global_alerts: Some(GlobalAlerts {
            kind: "slack".into(),
            url: "http://chat.test/hook".into(),
            token: String::new(),
            proxy: String::new(),
            user: "flagger".into(),
            channel: "general".into(),
        }),
        ..Settings::default()
    }
}

fn single(canary: &Canary, alert: &Alert, settings: &Settings, cluster: &Cluster) -> Delivery {
    let mut deliveries = route(canary, alert, settings, cluster);
    assert_eq!(deliveries.len(), 1);
    deliveries.remove(0).unwrap()
}

fn sent(delivery: &Delivery) -> Value {
    serde_json::from_str(&delivery.request(None).unwrap().body).unwrap()
}

#[test]
fn the_global_receiver_gets_what_was_recorded() {
    let cluster = Cluster(BTreeMap::new());
    let delivery = single(
        &canary(Vec::new()),
        &texts::initialized("Deployment"),
        &to_slack(""),
        &cluster,
    );
    let expected = json!({
        "attachments": [{
            "author_name": "app.t", "color": "good",
            "fields": [
                {"short": false, "title": "Target", "value": "Deployment/app.t"},
                {"short": false, "title": "Failed checks threshold", "value": "3"},
                {"short": false, "title": "Progress deadline", "value": "600s"},
                {"short": false, "title": "Traffic routing", "value": "Weight step: 50 max: 50"}
            ],
            "mrkdwn_in": ["text"], "text": "New Deployment detected, initialization completed."
        }],
        "channel": "general", "icon_emoji": ":rocket:", "icon_url": "", "username": "flagger"
    });
    assert_eq!(sent(&delivery), expected);
    let request = delivery.request(None).unwrap();
    assert_eq!(
        (request.method, request.timeout),
        (Method::Post, Duration::from_secs(5))
    );
    assert_eq!(request.headers, [("Content-Type".into(), "application/json".into())]);
    let delivery = single(
        &canary(Vec::new()),
        &texts::threshold_reached(3),
        &to_slack("c1"),
        &cluster,
    );
    let attachment = &sent(&delivery)["attachments"][0];
    assert_eq!(attachment["color"], "danger");
    assert_eq!(attachment["text"], "Failed checks threshold reached 3");
    assert_eq!(
        attachment["fields"],
        json!([{"short": false, "title": "Cluster", "value": "c1"}])
    );
}

#[test]
fn severities_let_through_what_is_as_bad_or_worse() {
    let receivers = ["info", "warn", "error", "empty", "none"];
    let spec = json!({"type": "slack", "address": "http://chat.test/hook"});
    let cluster = Cluster(receivers.map(|name| provider(name, "t", &spec)).into());
    let entries = receivers.map(|name| match name {
        "empty" => entry(name, Some(""), None),
        "none" => entry(name, None, None),
        named => entry(named, Some(named), None),
    });
    let canary = canary(entries.to_vec());
    let cases = [
        (Severity::Info, vec!["info", "empty", "none"]),
        (Severity::Warn, vec!["info", "warn", "empty", "none"]),
        (Severity::Error, vec!["info", "warn", "error", "empty", "none"]),
    ];
    for (severity, expected) in cases {
        let alert = Alert {
            severity,
            message: "x".into(),
            with_fields: false,
            reason: Reason::Said,
        };
        let deliveries = route(&canary, &alert, &to_slack(""), &cluster);
        let names: Vec<String> = deliveries.into_iter().map(|delivery| delivery.unwrap().name).collect();
        assert_eq!(names, expected, "the global receiver gets nothing");
    }
}

#[test]
fn secrets_bring_address_and_token() {
    let spec = json!({
        "type": "slack", "channel": "info", "username": "canary", "address": "http://own.test/", "proxy": "http://proxy:3128",
        "secretRef": {"name": "s"},
    });
    let cluster = Cluster([provider("info", "t", &spec)].into());
    let canary = canary(vec![entry("info", None, None)]);
    let delivery = single(&canary, &texts::promoted(), &Settings::default(), &cluster);
    assert_eq!(delivery.needs_secret, Some(kinds::SECRET.named("t", "s")));
    assert_eq!(delivery.request(None), Err(Undeliverable::NoSecret("s.t".into())));
    // http://chat.test/info and t0ken, both with a line end
    let secret = json!({"data": {"address": "aHR0cDovL2NoYXQudGVzdC9pbmZvCg==", "token": "dDBrZW4K"}});
    let request = delivery.request(Some(&secret)).unwrap();
    assert_eq!(request.url, "http://chat.test/info");
    assert_eq!(request.headers[1], ("Authorization".into(), "Bearer t0ken".into()));
    assert_eq!(request.proxy.as_deref(), Some("http://proxy:3128"));
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        (&body["channel"], &body["username"]),
        (&json!("info"), &json!("canary"))
    );
    let without_address = json!({"data": {}});
    assert_eq!(
        delivery.request(Some(&without_address)).unwrap().url,
        "http://own.test/"
    );
}

#[test]
fn a_broken_receiver_does_not_stop_the_others() {
    let good = json!({"type": "slack", "address": "http://chat.test/"});
    let cluster = Cluster(
        [
            provider("good", "t", &good),
            provider("away", "other", &good),
            provider("odd", "t", &json!({"type": "pager", "address": "http://chat.test/"})),
            provider("typeless", "t", &json!({})),
            provider("empty", "t", &json!({"type": "slack"})),
        ]
        .into(),
    );
    let entries = ["absent", "odd", "typeless", "empty", "good"].map(|name| entry(name, None, None));
    let mut entries = entries.to_vec();
    entries.push(entry("away", None, Some("other")));
    let canary = canary(entries);
    let mut settings = Settings::default();
    let mut outcomes = route(&canary, &texts::promoted(), &settings, &cluster).into_iter();
    let mut next = || outcomes.next().unwrap();
    assert_eq!(next().unwrap_err(), Undeliverable::NoProvider("absent.t".into()));
    assert_eq!(next().unwrap_err(), Undeliverable::Unsupported("pager".into()));
    assert!(matches!(next().unwrap_err(), Undeliverable::Unreadable { .. }));
    assert_eq!(
        next().unwrap().request(None),
        Err(Undeliverable::NoAddress("empty".into()))
    );
    assert!(next().is_ok() && next().is_ok());
    settings.no_cross_namespace_refs = true;
    let last = route(&canary, &texts::promoted(), &settings, &cluster).pop().unwrap();
    assert_eq!(last.unwrap_err(), Undeliverable::Foreign("away.other".into()));
    let mut settings = to_slack("");
    settings.global_alerts.as_mut().unwrap().channel.clear();
    let bare = self::canary(Vec::new());
    assert_eq!(
        route(&bare, &texts::promoted(), &settings, &cluster)
            .remove(0)
            .unwrap_err(),
        Undeliverable::NoSender
    );
    assert!(route(&bare, &texts::promoted(), &Settings::default(), &cluster).is_empty());
}

#[test]
fn an_answer_is_read_for_what_it_says() {
    let cluster = Cluster(BTreeMap::new());
    let delivery = single(&canary(Vec::new()), &texts::promoted(), &to_slack(""), &cluster);
    let answer = |status: u16, body: &str| {
        Ok(Response {
            status,
            body: body.into(),
            retry_after: None,
        })
    };
    let cases = [
        (answer(200, "ok"), Ok(())),
        (answer(204, ""), Ok(())),
        (answer(200, "{\"ok\": true}"), Ok(())),
        (
            answer(200, "{\"ok\": false, \"error\": \"channel_not_found\"}"),
            Err("refused: channel_not_found"),
        ),
        (answer(404, "no_team"), Err("status 404 Not Found: no_team")),
        (Err(Trouble::Unavailable("timed out".into())), Err("timed out")),
    ];
    for (answer, expected) in cases {
        assert_eq!(delivery.verdict(&answer), expected.map_err(String::from));
    }
}
