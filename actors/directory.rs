//! What the notifier needs of the cluster and of the engine: AlertProviders and Secrets, and the calls that events and alerts make.

use crds::Canary;
use engine::{
    Event, ObjectRef, Seen, Settings, View, alerts,
    configs::Digest,
    hooks,
    http::Request,
    seam::{Alert, HookCall, Trouble},
};
use futures::{FutureExt, future::BoxFuture};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

use crate::{caches::Caches, events, notifier::Directory, router::Router};

/// AlertProviders from the caches, Secrets from the API server.
#[derive(Clone)]
pub struct ClusterDirectory {
    /// The caches.
    pub caches: Caches,
    /// The way to the API server.
    pub router: Router,
}

/// The directory as the engine looks at it.
struct Looks<'d>(&'d dyn Directory);

impl Directory for ClusterDirectory {
    fn object(&self, of: &ObjectRef) -> Seen {
        self.caches.object(of)
    }

    fn read(&self, of: ObjectRef) -> BoxFuture<'_, Result<Option<Arc<Value>>, Trouble>> {
        self.router.read(of).boxed()
    }
}

impl View for Looks<'_> {
    fn object(&self, of: &ObjectRef) -> Seen {
        self.0.object(of)
    }

    fn digest(&self, _: &ObjectRef, _: &str) -> Option<Digest> {
        None
    }
}

/// The webhook calls of an Event. A hook that cannot be called is logged; the others still are.
pub fn event_calls(canary: &Canary, settings: &Settings, event: &Event, at: Timestamp) -> Vec<HookCall> {
    let name = canary.display_name();
    let mut calls = Vec::new();
    for call in hooks::event_calls(canary, settings, event, at) {
        match call {
            Ok(call) => calls.push(call),
            Err(bad) => {
                let cause = bad.to_string();
                events::Undelivered {
                    canary: &name,
                    lane: "webhook",
                    receiver: "event",
                    cause: &cause,
                }
                .emit();
            }
        }
    }
    calls
}

/// The requests of an alert, one per receiver, or why a receiver cannot be reached.
pub fn alert_requests(
    canary: Arc<Canary>,
    settings: Arc<Settings>,
    alert: Alert,
    directory: Arc<dyn Directory>,
) -> BoxFuture<'static, Vec<Result<Request, Trouble>>> {
    async move {
        let routes = alerts::route(&canary, &alert, &settings, &Looks(&*directory));
        let mut requests = Vec::new();
        for route in routes {
            requests.push(match route {
                Ok(delivery) => request(&delivery, &*directory).await,
                Err(cause) => Err(Trouble::Refused(cause.to_string())),
            });
        }
        requests
    }
    .boxed()
}

async fn request(delivery: &alerts::Delivery, directory: &dyn Directory) -> Result<Request, Trouble> {
    let secret = match delivery.needs_secret.clone() {
        Some(at) => directory.read(at).await?,
        None => None,
    };
    delivery
        .request(secret.as_deref())
        .map_err(|cause| Trouble::Refused(cause.to_string()))
}
