//! Everything that a step says: log lines, Kubernetes Events, event webhooks, alerts. Nothing of it happens inside the step (W-56).
//!
//! The log line is written at once. The rest goes into three sets of lanes, one lane per canary in each, so that a canary's notices
//! keep their order while neither a dead receiver nor another canary holds them up.

use actix::{Actor, Context, Handler, Message};
use crds::Canary;
use engine::{
    Event, ObjectRef, Seen, Settings,
    http::{Request, Response},
    seam::{Alert, EventType, HookCall, Severity, Trouble},
};
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

use crate::{
    answer::Answer,
    events,
    lanes::{Bounds, Job, Lanes},
    mail::Mail,
    outbound::Outbound,
    records::{EventSink, Recorded, Recorder},
    series::Series,
    webhook::Caller,
    world::World,
};

#[cfg(test)]
mod tests;

/// Messages waiting at the actor, which handles each in microseconds.
pub const NOTICES_MAX: usize = 1024;
/// Kubernetes Events: 128 per canary may wait (a run of 100 steps). 8 are being written, a seventh of all writes together with the
/// router's 32 + 16: where a fleet keeps the API server busy, routes and statuses go first, and Events come later.
pub const RECORD_BOUNDS: Bounds = Bounds {
    waiting: 128,
    running: 8,
};
/// Event webhooks: 64 per canary may wait, ten minutes of a dead receiver with a time limit of 10 s. 256 run, at most 32 per receiver.
pub const WEBHOOK_BOUNDS: Bounds = Bounds {
    waiting: 64,
    running: 256,
};
/// Alerts: there are few, so 32 per canary may wait and 32 run.
pub const ALERT_BOUNDS: Bounds = Bounds {
    waiting: 32,
    running: 32,
};
/// Retries of an alert, which the peer sends once (AN-31): after 1 and 2 s.
pub const ALERT_RETRIES: u32 = 2;

/// Between the first calls of two receivers of one alert: with 20 receivers the last one is called 2 s after the first.
pub const ALERT_STAGGER: Duration = Duration::from_millis(100);

/// Objects that alerts refer to: AlertProviders from the caches, Secrets from the API server.
pub trait Directory: Send + Sync + 'static {
    /// The object as the caches have it.
    fn object(&self, of: &ObjectRef) -> Seen;
    /// The object as it is on the API server; `None` where there is none.
    fn read(&self, of: ObjectRef) -> BoxFuture<'_, Result<Option<Arc<Value>>, Trouble>>;
}

/// Webhook calls of one Event (`engine::hooks::event_calls`).
pub type EventCalls = fn(&Canary, &Settings, &Event, Timestamp) -> Vec<HookCall>;

/// Requests of one alert, one per receiver, or why a receiver cannot be reached (`engine::alerts`, with reads through the directory).
pub type AlertRequests =
    fn(Arc<Canary>, Arc<Settings>, Alert, Arc<dyn Directory>) -> BoxFuture<'static, Vec<Result<Request, Trouble>>>;

/// What the notifier is made of.
pub struct Parts {
    /// Tasks and clocks.
    pub world: World,
    /// Settings of the controller.
    pub settings: Arc<Settings>,
    /// The way out.
    pub outbound: Outbound,
    /// Where Kubernetes Events go.
    pub sink: Arc<dyn EventSink>,
    /// Where AlertProviders and Secrets come from.
    pub directory: Arc<dyn Directory>,
    /// Makes event webhooks.
    pub event_calls: EventCalls,
    /// Makes alerts.
    pub alert_requests: AlertRequests,
    /// Counts what is lost.
    pub series: Arc<Series>,
}

/// The pool of notices.
pub struct NotifierActor {
    world: World,
    series: Arc<Series>,
    records: Lanes<Notice<Event>>,
    webhooks: Lanes<Notice<Event>>,
    alerts: Lanes<Notice<Alert>>,
}

/// Tell the world what a step said. Answered as soon as it is queued.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Notify {
    /// The canary, as it was in the step.
    pub canary: Arc<Canary>,
    /// Events, in order.
    pub events: Vec<Event>,
    /// Alerts, in order.
    pub alerts: Vec<Alert>,
    /// Dropped when every alert is delivered or given up.
    pub receipt: Option<Receipt>,
    /// When it was said.
    pub at: Timestamp,
}

/// Says that something is over by being dropped, with its last copy.
#[derive(Clone)]
pub struct Receipt(#[expect(dead_code, reason = "only its end matters")] Arc<Farewell>);

struct Farewell(Box<dyn Fn() + Send + Sync>);

/// Answered when every notice is delivered or given up: for the end of the process, with a time limit round it.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Flush;

/// The running notifier.
#[derive(Clone)]
pub struct Notifier {
    /// For canary actors.
    pub notify: Mail<Notify>,
    /// For the end of the process.
    pub flush: Mail<Flush>,
}

struct Notice<T> {
    canary: Arc<Canary>,
    what: T,
    receipt: Option<Receipt>,
    at: Timestamp,
}

/// Delivers one notice. Lives in the lanes.
struct Courier {
    world: World,
    settings: Arc<Settings>,
    caller: Caller,
    recorder: Recorder,
    directory: Arc<dyn Directory>,
    event_calls: EventCalls,
    alert_requests: AlertRequests,
    series: Arc<Series>,
}

const RECORD: &str = "event";
const WEBHOOK: &str = "webhook";
const ALERT: &str = "alert";

/// Start the notifier in the current arbiter.
pub fn start(parts: Parts) -> Notifier {
    let actor = NotifierActor::new(parts);
    actor.series.watch_lane(RECORD, actor.records.pending());
    actor.series.watch_lane(WEBHOOK, actor.webhooks.pending());
    actor.series.watch_lane(ALERT, actor.alerts.pending());
    let actor = actor.start();
    Notifier {
        notify: Mail::new(actor.clone().recipient(), NOTICES_MAX),
        flush: Mail::new(actor.recipient(), 1),
    }
}

// === impl NotifierActor ===

impl NotifierActor {
    fn new(parts: Parts) -> Self {
        let world = parts.world;
        let courier = Arc::new(Courier {
            world: world.clone(),
            settings: parts.settings,
            caller: Caller::new(&world, &parts.outbound),
            recorder: Recorder::new(&world, parts.sink),
            directory: parts.directory,
            event_calls: parts.event_calls,
            alert_requests: parts.alert_requests,
            series: parts.series.clone(),
        });
        let (recording, calling, alerting) = (courier.clone(), courier.clone(), courier);
        Self {
            records: Lanes::new(&world, RECORD_BOUNDS, move |notice| {
                Box::pin(recording.clone().record(notice))
            }),
            webhooks: Lanes::new(&world, WEBHOOK_BOUNDS, move |notice| {
                Box::pin(calling.clone().call(notice))
            }),
            alerts: Lanes::new(&world, ALERT_BOUNDS, move |notice| {
                Box::pin(alerting.clone().alert(notice))
            }),
            series: parts.series,
            world,
        }
    }

    fn tell(&self, notify: Notify) {
        let canary = &notify.canary;
        let lane = canary.display_name();
        for event in notify.events {
            events::Said { canary, event: &event }.emit();
            let notice = |what| notice(canary, what, None, notify.at);
            self.queue(&self.records, &lane, RECORD, notice(event.clone()));
            self.queue(&self.webhooks, &lane, WEBHOOK, notice(event));
        }
        for alert in notify.alerts {
            self.queue(
                &self.alerts,
                &lane,
                ALERT,
                notice(canary, alert, notify.receipt.clone(), notify.at),
            );
        }
    }

    fn queue<T>(&self, lanes: &Lanes<Notice<T>>, canary: &str, lane: &'static str, notice: Notice<T>)
    where
        Notice<T>: Job,
    {
        if lanes.add(canary, notice).is_some() {
            self.series.dropped(lane);
            events::Dropped { canary, lane }.emit();
        }
    }
}

impl Actor for NotifierActor {
    type Context = Context<Self>;
}

impl Handler<Notify> for NotifierActor {
    type Result = ();

    fn handle(&mut self, notify: Notify, _: &mut Context<Self>) {
        self.tell(notify);
    }
}

impl Handler<Flush> for NotifierActor {
    type Result = Answer<()>;

    fn handle(&mut self, _: Flush, _: &mut Context<Self>) -> Self::Result {
        let (records, webhooks, alerts) = (self.records.clone(), self.webhooks.clone(), self.alerts.clone());
        Answer::new(&self.world, async move {
            tokio::join!(records.idle(), webhooks.idle(), alerts.idle());
        })
    }
}

// === impl Notice ===

impl Job for Notice<Event> {
    fn is_minor(&self) -> bool {
        self.what.severity == EventType::Normal
    }
}

impl Job for Notice<Alert> {
    fn is_minor(&self) -> bool {
        self.what.severity == Severity::Info
    }
}

fn notice<T>(canary: &Arc<Canary>, what: T, receipt: Option<Receipt>, at: Timestamp) -> Notice<T> {
    Notice {
        canary: canary.clone(),
        what,
        receipt,
        at,
    }
}

// === impl Receipt ===

impl Receipt {
    /// `end` is called when the last copy is dropped.
    pub fn new(end: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Farewell(Box::new(end))))
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        (self.0)();
    }
}

// === impl Courier ===

impl Courier {
    async fn record(self: Arc<Self>, notice: Notice<Event>) {
        match self.recorder.record(&notice.canary, &notice.what, notice.at).await {
            Recorded::Written => {}
            Recorded::LeftOut => {
                self.series.dropped(RECORD);
                let canary = &notice.canary.display_name();
                events::Dropped { canary, lane: RECORD }.emit();
            }
            Recorded::Failed(trouble) => self.report(&notice.canary, RECORD, "", &trouble.to_string()),
        }
    }

    /// All receivers of one Event at once; the next Event waits for them, so that each receiver sees the order.
    async fn call(self: Arc<Self>, notice: Notice<Event>) {
        let calls = (self.event_calls)(&notice.canary, &self.settings, &notice.what, notice.at);
        let calls = calls
            .into_iter()
            .map(|call| self.deliver(&notice.canary, WEBHOOK, call));
        futures::future::join_all(calls).await;
    }

    async fn alert(self: Arc<Self>, notice: Notice<Alert>) {
        let (canary, settings) = (notice.canary.clone(), self.settings.clone());
        let requests = (self.alert_requests)(canary, settings, notice.what, self.directory.clone()).await;
        let mut calls = Vec::new();
        for request in requests {
            match request {
                Ok(request) => calls.push(HookCall {
                    name: crate::outbound::origin(&request.url).unwrap_or_default(),
                    request,
                    retries: ALERT_RETRIES,
                }),
                Err(trouble) => self.report(&notice.canary, ALERT, "", &trouble.to_string()),
            }
        }
        let calls = (0..)
            .zip(calls)
            .map(|(place, call)| self.deliver_at(place, &notice.canary, call));
        futures::future::join_all(calls).await;
        drop(notice.receipt); // now, and not before: until here a crash would lose the alert
    }

    /// Receivers are called in the order of the list, without waiting for a slow one.
    async fn deliver_at(&self, place: u32, canary: &Canary, call: HookCall) {
        self.world.sleep(ALERT_STAGGER * place).await;
        self.deliver(canary, ALERT, call).await;
    }

    async fn deliver(&self, canary: &Canary, lane: &'static str, call: HookCall) {
        let receiver = call.name.clone();
        let fault = match self.caller.call(call).await {
            Ok(response) => fault(&response, lane),
            Err(trouble) => Some(trouble.to_string()),
        };
        if let Some(cause) = fault {
            self.report(canary, lane, &receiver, &cause);
        }
    }

    fn report(&self, canary: &Canary, lane: &'static str, receiver: &str, cause: &str) {
        self.series.undelivered(lane);
        let canary = &canary.display_name();
        events::Undelivered {
            canary,
            lane,
            receiver,
            cause,
        }
        .emit();
    }
}

/// What is wrong with a receiver's answer. Slack says `"ok": false` with status 200 (AN-31). Bodies are not logged: the receiver's
/// text could be anything.
fn fault(response: &Response, lane: &str) -> Option<String> {
    if !(200..300).contains(&response.status) {
        return Some(format!("the receiver answered {}", response.status));
    }
    let body: Value = serde_json::from_str(&response.body).ok().filter(|_| lane == ALERT)?;
    (body["ok"] == false).then(|| format!("the receiver refused it: {}", body["error"]))
}
