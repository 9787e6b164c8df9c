use super::*;
use crate::{
    outbound,
    records::Repeat,
    testing::{answer, canary, post, simulate},
};
use crds::Phase;
use engine::seam::Reason;
use k8s_openapi::api::core::v1::Event as Record;
use parking_lot::Mutex;
use std::time::Duration;

/// Everything that left the house, with the second in which it did.
#[derive(Clone)]
struct Street {
    world: World,
    seen: Arc<Mutex<Vec<(u64, String)>>>,
}

impl Street {
    fn note(&self, what: String) {
        let second = self.world.now().as_second() as u64;
        self.seen.lock().push((second, what));
    }

    fn seen(&self, prefix: &str) -> Vec<(u64, String)> {
        let seen = self.seen.lock();
        seen.iter()
            .filter(|(_, what)| what.starts_with(prefix))
            .cloned()
            .collect()
    }
}

impl EventSink for Street {
    fn create(&self, record: Record) -> BoxFuture<'_, Result<(), Trouble>> {
        self.note(format!("event {}", record.message.unwrap_or_default()));
        Box::pin(async { Ok(()) })
    }

    fn repeat(&self, repeat: Repeat) -> BoxFuture<'_, Result<(), Trouble>> {
        self.note(format!("event again {}", repeat.count));
        Box::pin(async { Ok(()) })
    }
}

impl Directory for Street {
    fn object(&self, _: &ObjectRef) -> Seen {
        Seen::Absent
    }

    fn read(&self, _: ObjectRef) -> BoxFuture<'_, Result<Option<Arc<Value>>, Trouble>> {
        Box::pin(async { Ok(None) })
    }
}

fn one_call(canary: &Canary, _: &Settings, event: &Event, _: Timestamp) -> Vec<HookCall> {
    let mut request = post(&format!("http://{}.hooks.test/", canary.name()));
    request.body.clone_from(&event.message);
    vec![HookCall {
        name: "events".into(),
        request,
        retries: 0,
    }]
}

fn one_alert(
    canary: Arc<Canary>,
    _: Arc<Settings>,
    alert: Alert,
    directory: Arc<dyn Directory>,
) -> BoxFuture<'static, Vec<Result<Request, Trouble>>> {
    Box::pin(async move {
        let secret = directory
            .read(engine::objects::kinds::SECRET.named("test", "chat"))
            .await;
        assert_eq!(secret, Ok(None));
        let mut request = post(&format!("http://{}.chat.test/", canary.name()));
        request.body = alert.message;
        vec![Err(Trouble::NotFound("no such provider".into())), Ok(request)]
    })
}

/// Webhooks of the canary `slow` take 4 s, those of `dead` never end; all others are quick.
fn open(world: &World) -> (Notifier, Street, Arc<Series>) {
    let street = Street {
        world: world.clone(),
        seen: Arc::default(),
    };
    let passer = street.clone();
    let outbound = outbound::scripted(move |request: &Request| {
        let lane = if request.url.contains("chat") {
            "alert"
        } else {
            "webhook"
        };
        passer.note(format!("{lane} {}", request.body));
        let seconds = match &request.url {
            url if url.contains("dead.") => 1000,
            url if url.contains("slow.") => 4,
            _ => 0,
        };
        (Duration::from_secs(seconds), answer(200))
    });
    let series = Arc::new(Series::new("1", "istio").unwrap());
    let notifier = start(Parts {
        world: world.clone(),
        settings: Arc::default(),
        outbound,
        sink: Arc::new(street.clone()),
        directory: Arc::new(street.clone()),
        event_calls: one_call,
        alert_requests: one_alert,
        series: series.clone(),
    });
    (notifier, street, series)
}

fn said(name: &str, texts: &[&str]) -> Notify {
    Notify {
        canary: Arc::new(canary(name)),
        events: texts
            .iter()
            .map(|text| Event::normal(Phase::Progressing, *text))
            .collect(),
        alerts: Vec::new(),
        receipt: None,
        at: Timestamp::UNIX_EPOCH,
    }
}

fn at(second: u64, what: &str) -> (u64, String) {
    (second, what.to_owned())
}

#[test]
fn a_canary_keeps_its_order_and_nobody_waits_for_another() {
    simulate(|world| async move {
        let (notifier, street, _) = open(&world);
        notifier.notify.send(said("slow", &["one", "two"])).await.unwrap();
        notifier.notify.send(said("slow", &["three"])).await.unwrap();
        notifier.notify.send(said("quick", &["four"])).await.unwrap();
        assert_eq!(world.now(), Timestamp::UNIX_EPOCH, "sending does not wait for delivery");
        notifier.flush.send(Flush).await.unwrap();
        let webhooks = [
            at(0, "webhook one"),
            at(0, "webhook four"),
            at(4, "webhook two"),
            at(8, "webhook three"),
        ];
        assert_eq!(street.seen("webhook"), webhooks);
        let events = [
            at(0, "event one"),
            at(0, "event two"),
            at(0, "event three"),
            at(0, "event four"),
        ];
        let mut seen = street.seen("event");
        seen.sort_by_key(|(_, what)| events.iter().position(|(_, text)| text == what));
        assert_eq!(seen, events);
    });
}

#[test]
fn a_dead_receiver_costs_old_news_not_warnings() {
    simulate(|world| async move {
        let (notifier, street, series) = open(&world);
        let mut notify = said("dead", &["first"]);
        notifier.notify.send(notify.clone()).await.unwrap();
        world.sleep(Duration::from_secs(1)).await; // the first is on its way
        notify.events = vec![Event::warning(Phase::Progressing, "warning")];
        notifier.notify.send(notify.clone()).await.unwrap();
        for n in 0..100 {
            notify.events = vec![Event::normal(Phase::Progressing, format!("news {n}"))];
            notifier.notify.send(notify.clone()).await.unwrap();
        }
        notifier.flush.send(Flush).await.unwrap();
        let webhooks: Vec<_> = street.seen("webhook").into_iter().map(|(_, what)| what).collect();
        assert_eq!(webhooks.len(), 1 + WEBHOOK_BOUNDS.waiting);
        assert_eq!(webhooks[..3], ["webhook first", "webhook warning", "webhook news 37"]);
        let text = series.render();
        assert!(
            text.contains(r#"aviary_notices_dropped_total{lane="webhook"} 37"#),
            "{text}"
        );
        assert!(
            text.contains(r#"aviary_notices_failed_total{lane="webhook"} 65"#),
            "{text}"
        );
        assert_eq!(street.seen("event news").len(), 98, "the burst of Events is 100");
    });
}

#[test]
fn alerts_that_cannot_be_sent_do_not_stop_the_others() {
    simulate(|world| async move {
        let (notifier, street, series) = open(&world);
        let mut notify = said("podinfo", &[]);
        notify.alerts = vec![Alert {
            severity: Severity::Error,
            message: "rolled back".into(),
            with_fields: false,
            reason: Reason::Said,
        }];
        notifier.notify.send(notify).await.unwrap();
        notifier.flush.send(Flush).await.unwrap();
        assert_eq!(street.seen("alert"), [at(0, "alert rolled back")]);
        assert!(
            series
                .render()
                .contains(r#"aviary_notices_failed_total{lane="alert"} 1"#)
        );
    });
}

#[test]
fn a_dead_channel_holds_up_nobody_and_keeps_the_order() {
    simulate(|world| async move {
        let (notifier, street, _) = open(&world);
        let alert = |text: &str| Alert {
            severity: Severity::Error,
            message: text.into(),
            with_fields: false,
            reason: Reason::Said,
        };
        let (delivered, is_over) = std::sync::mpsc::channel();
        let mut dead = said("dead", &["its event"]);
        dead.alerts = vec![alert("one"), alert("two")];
        dead.receipt = Some(Receipt::new(move || delivered.send(()).unwrap()));
        let mut quick = said("quick", &[]);
        quick.alerts = vec![alert("three")];
        notifier.notify.send(dead).await.unwrap();
        notifier.notify.send(quick).await.unwrap();
        world.sleep(Duration::from_secs(1)).await;
        assert_eq!(street.seen("alert"), [at(0, "alert one"), at(0, "alert three")]);
        assert_eq!(street.seen("event"), [at(0, "event its event")]);
        assert!(
            is_over.try_recv().is_err(),
            "nothing is settled while a try is under way"
        );
        notifier.flush.send(Flush).await.unwrap();
        let mut alerts: Vec<_> = street.seen("alert").into_iter().map(|(_, what)| what).collect();
        assert_eq!(alerts.len(), 2 * (1 + ALERT_RETRIES as usize) + 1, "{alerts:?}");
        alerts.dedup();
        assert_eq!(
            alerts[alerts.len() - 2..],
            ["alert one", "alert two"],
            "one after the other"
        );
        assert_eq!(is_over.try_iter().count(), 1, "given up counts as settled, once");
    });
}

#[test]
fn an_answer_is_judged_by_its_receiver() {
    let response = |status, body: &str| Response {
        status,
        body: body.into(),
        retry_after: None,
    };
    let cases = [
        (response(200, "ok"), ALERT, false),
        (response(204, ""), WEBHOOK, false),
        (response(302, ""), WEBHOOK, true),
        (response(403, "no"), WEBHOOK, true),
        (response(200, r#"{"ok":false,"error":"invalid_auth"}"#), ALERT, true),
        (response(200, r#"{"ok":false}"#), WEBHOOK, false),
        (response(200, r#"{"ok":true}"#), ALERT, false),
    ];
    for (response, lane, is_fault) in cases {
        assert_eq!(fault(&response, lane).is_some(), is_fault, "{response:?} {lane}");
    }
}
