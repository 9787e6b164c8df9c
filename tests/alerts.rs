//! docs/alert-providers/: every example is sent by the real notifier to a double of its receiver, which checks the request strictly.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use actors::{
    directory::alert_requests,
    notifier::{self, Directory, Flush, Notify, Parts},
    outbound,
    records::{EventSink, Repeat},
    series::Series,
    world::World,
};
use crds::{Canary, analysis::Alert as Entry};
use engine::{
    ObjectRef, Seen, Settings,
    alerts::texts,
    http::{Request, Response},
    objects::kinds,
    seam::{Alert, Trouble},
    settings::GlobalAlerts,
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Event as Record};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

use receivers::{RECEIVERS, attachment, card, chat_card};

mod receivers;

const PAGES: &str = concat!(
    include_str!("../docs/alert-providers/slack.md"),
    include_str!("../docs/alert-providers/msteams.md"),
    include_str!("../docs/alert-providers/discord.md"),
    include_str!("../docs/alert-providers/rocket.md"),
    include_str!("../docs/alert-providers/gchat.md"),
);

/// Objects of the page by kind, namespace and name.
#[derive(Clone, Default)]
struct Page(BTreeMap<ObjectRef, Arc<Value>>);

#[test]
fn every_example_of_the_page_arrives_as_its_receiver_documents() {
    let page = Page::read();
    let providers = page.0.keys().filter(|at| at.kind == kinds::ALERT_PROVIDER);
    assert_eq!(
        providers.count(),
        RECEIVERS.len(),
        "each provider of the page has a double"
    );
    for receiver in &RECEIVERS {
        let alerts = [
            texts::started(),
            texts::waiting_promotion(),
            texts::threshold_reached(3),
        ];
        let (seen, failed) = tell(
            &page,
            &canary(receiver.name),
            &Settings::default(),
            &alerts,
            |request| Ok(receiver.answer(request)),
        );
        assert_eq!((seen.len(), failed), (3, 0), "{}: {seen:#?}", receiver.name);
    }
}

#[test]
fn doubles_refuse_what_is_not_as_documented() {
    let good = json!({"attachments": [{"color": "good", "author_name": "a.b", "text": "t", "fields": []}], "channel": "general",
        "username": "u", "icon_url": "", "icon_emoji": ":rocket:"});
    assert_eq!(attachment(&good, "general", &["good"]), Ok(()));
    for (pointer, bad) in [
        ("/attachments/0/text", json!("")),
        ("/attachments/0/color", json!("blue")),
        ("/attachments/0/fields", json!([{"title": "t", "value": ""}])),
        ("/channel", json!("other")),
    ] {
        let mut payload = good.clone();
        *payload.pointer_mut(pointer).unwrap() = bad;
        assert!(attachment(&payload, "general", &["good"]).is_err(), "{pointer}");
    }
    assert!(card(&good).is_err() && chat_card(&good).is_err());
}

#[test]
fn the_controller_wide_receivers_work_by_flags() {
    let flags = [("slack", &RECEIVERS[0]), ("msteams", &RECEIVERS[2])];
    for (kind, receiver) in flags {
        let settings = Settings {
            global_alerts: Some(GlobalAlerts {
                kind: kind.into(),
                url: receiver.url.into(),
                token: String::new(),
                proxy: String::new(),
                user: "flagger".into(),
                channel: "on-call-alerts".into(),
            }),
            ..Settings::default()
        };
        let mut nobody = canary("nobody");
        nobody.spec.analysis.as_mut().unwrap().alerts.clear();
        let (seen, failed) = tell(&Page::default(), &nobody, &settings, &[texts::promoted()], |request| {
            Ok(receiver.answer(request))
        });
        assert_eq!((seen.len(), failed), (1, 0), "{kind}");
    }
}

#[test]
fn a_bad_day_of_a_receiver_is_tried_again_counted_and_over() {
    let page = Page::read();
    let status = |status: u16, body: &str| {
        Ok(Response {
            status,
            body: body.into(),
            retry_after: (status == 429).then(|| "1".into()),
        })
    };
    // What is answered, and how often it is tried: again only where that may help.
    let days = [
        (status(404, "no_service"), 1),
        (status(400, "invalid_payload"), 1),
        (status(401, ""), 1),
        (status(429, "rate limited"), 3),
        (status(500, "<html>oops</html>"), 3),
        (Err(Trouble::Unavailable("connection refused".into())), 3),
        (Err(Trouble::Refused("invalid peer certificate: Expired".into())), 1),
        (status(302, ""), 1),
    ];
    for receiver in &RECEIVERS {
        for (day, tries) in &days {
            let answer = day.clone();
            let (canary, settings) = (canary(receiver.name), Settings::default());
            let (seen, failed) = tell(&page, &canary, &settings, &[texts::promoted()], move |_| answer.clone());
            assert_eq!((seen.len(), failed), (*tries, 1), "{}: {day:?}", receiver.name);
        }
    }
    let refused = r#"{"ok":false,"error":"channel_not_found"}"#;
    let (seen, failed) = tell(
        &page,
        &canary("bot"),
        &Settings::default(),
        &[texts::promoted()],
        move |_| status(200, refused),
    );
    assert_eq!((seen.len(), failed), (1, 1), "Slack says no with 200");
}

#[test]
fn providers_of_other_namespaces_are_not_used_where_that_is_forbidden() {
    let settings = Settings {
        no_cross_namespace_refs: true,
        ..Settings::default()
    };
    let (seen, failed) = tell(
        &Page::read(),
        &canary("on-call"),
        &settings,
        &[texts::promoted()],
        |_| unreachable!(),
    );
    assert_eq!((seen.len(), failed), (0, 1));
}

/// Tell alerts of a canary; gives the requests that went out and the number of alerts that were not delivered.
fn tell(
    page: &Page,
    canary: &Canary,
    settings: &Settings,
    alerts: &[Alert],
    answer: impl Fn(&Request) -> Result<Response, Trouble> + Send + Sync + 'static,
) -> (Vec<Request>, u64) {
    let system = actix::System::with_tokio_rt(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    });
    let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
    let noted = seen.clone();
    let outbound = outbound::scripted(move |request| {
        noted.lock().push(request.clone());
        (Duration::ZERO, answer(request))
    });
    let failed = system.block_on(async {
        let series = Arc::new(Series::new("1", "istio").unwrap());
        let notifier = notifier::start(Parts {
            world: World::single(Timestamp::UNIX_EPOCH, 1),
            settings: Arc::new(settings.clone()),
            outbound,
            sink: Arc::new(page.clone()),
            directory: Arc::new(page.clone()),
            event_calls: |_, _, _, _| Vec::new(),
            alert_requests,
            series: series.clone(),
        });
        let notify = Notify {
            canary: Arc::new(canary.clone()),
            events: Vec::new(),
            alerts: alerts.to_vec(),
            receipt: None,
            at: Timestamp::UNIX_EPOCH,
        };
        notifier.notify.send(notify).await.unwrap();
        notifier.flush.send(Flush).await.unwrap();
        failed(&series.render())
    });
    (seen.lock().clone(), failed)
}

fn failed(metrics: &str) -> u64 {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("aviary_notices_failed_total{lane=\"alert\"} "));
    line.map_or(0, |count| count.parse().unwrap())
}

fn canary(provider: &str) -> Canary {
    let entry: Entry = serde_json::from_value(json!({
        "name": "all", "severity": "info", "providerRef": {"name": provider, "namespace": "monitoring"},
    }))
    .unwrap();
    let mut canary = Canary::new("podinfo", crds::CanarySpec::default());
    canary.metadata.namespace = Some("test".into());
    canary.spec.target_ref.kind = "Deployment".into();
    canary.spec.target_ref.name = "podinfo".into();
    canary.spec.analysis = Some(crds::analysis::Analysis {
        alerts: vec![entry],
        ..crds::analysis::Analysis::default()
    });
    canary
}

// === impl Page ===

impl Page {
    /// The objects of all YAML blocks.
    fn read() -> Self {
        let blocks = PAGES.split("```yaml\n").skip(1);
        let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
        let mut objects = BTreeMap::new();
        for object in blocks.flat_map(|block| serde_saphyr::from_multiple::<Value>(block).unwrap()) {
            let metadata = &object["metadata"];
            let (name, namespace) = (
                metadata["name"].as_str().unwrap(),
                metadata["namespace"].as_str().unwrap(),
            );
            let (at, object) = match object["kind"].as_str().unwrap() {
                "Secret" => (kinds::SECRET.named(namespace, name), stored(&object)),
                _ => (kinds::ALERT_PROVIDER.named(namespace, name), object.clone()),
            };
            objects.insert(at, Arc::new(object));
        }
        Self(objects)
    }
}

/// The Secret as the API server stores it.
fn stored(secret: &Value) -> Value {
    let entries = secret["stringData"].as_object().unwrap().iter();
    let bytes = |text: &Value| serde_json::to_value(ByteString(text.as_str().unwrap().into())).unwrap();
    let data: serde_json::Map<String, Value> = entries.map(|(key, text)| (key.clone(), bytes(text))).collect();
    json!({"metadata": secret["metadata"], "data": data})
}

impl Directory for Page {
    fn object(&self, of: &ObjectRef) -> Seen {
        self.0
            .get(of)
            .map_or(Seen::Absent, |object| Seen::Present(object.clone()))
    }

    fn read(&self, of: ObjectRef) -> BoxFuture<'_, Result<Option<Arc<Value>>, Trouble>> {
        let found = self.0.get(&of).cloned();
        Box::pin(async move { Ok(found) })
    }
}

impl EventSink for Page {
    fn create(&self, _: Record) -> BoxFuture<'_, Result<(), Trouble>> {
        Box::pin(async { Ok(()) })
    }

    fn repeat(&self, _: Repeat) -> BoxFuture<'_, Result<(), Trouble>> {
        Box::pin(async { Ok(()) })
    }
}
