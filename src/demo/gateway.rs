//! The gateway: every request to a host is forwarded by the weights that the HTTPRoute of that host has at this moment.
//!
//! What it is not: matches, filters and header rules; the demo's routes have one rule for everything.

pub(super) mod split;
#[cfg(test)]
mod tests;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CONNECTION, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
    web::{Bytes, Data},
};
use engine::objects::kinds;
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    time::Duration,
};
use tokio::{sync::watch, time::timeout};

use super::{
    apps::Endpoints,
    mirror::{Change, text},
};
use split::{Backend, Split};

/// Header with the number of the weights that a request was routed under. It makes the count at the application exact: also for requests
/// that are under way while the weights change.
pub(super) const WINDOW_HEADER: &str = "x-demo-window";
/// Headers that belong to one connection, and the one that names the server.
const NOT_FORWARDED: [HeaderName; 6] = [CONNECTION, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
/// Time that a Service gets to have a server; it starts in milliseconds.
const ENDPOINT_WAIT: Duration = Duration::from_secs(2);
/// A server that ends between choice and sending costs one attempt.
const ATTEMPTS: usize = 2;
/// Weights that are remembered per route: a release has some seven.
const WINDOWS_MAX: usize = 256;
/// Weight of a backend that has none, as the schema says.
const WEIGHT_DEFAULT: i64 = 1;

/// A time in which a route had the same weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Unlike that of any other window of the route.
    pub(super) number: u64,
    backends: Vec<Backend>,
}

/// All routes with their present splits.
#[derive(Debug, Default)]
pub(super) struct Routes(BTreeMap<String, Route>);

#[derive(Debug, Default)]
struct Route {
    hosts: Vec<String>,
    windows: VecDeque<Window>,
    split: Split,
}

/// The gateway's state.
pub(super) struct Gateway {
    routes: Mutex<Routes>,
    endpoints: watch::Receiver<Endpoints>,
    client: reqwest::Client,
    /// Requests that reached no server.
    lost: Mutex<BTreeMap<String, u64>>,
}

/// Why a request is not forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Stray {
    /// No route has this host.
    #[error("no HTTPRoute has this host")]
    Unknown,
    /// All weights are 0.
    #[error("no backend has a weight")]
    Weightless,
}

// === impl Window ===

impl Window {
    /// Percent of the requests that a Service should get.
    pub(super) fn share_of(&self, service: &str) -> i64 {
        let total: i64 = self.backends.iter().map(|backend| backend.weight).sum();
        let own = self.backends.iter().filter(|backend| backend.service == service);
        own.map(|backend| backend.weight).sum::<i64>() * 100 / total.max(1)
    }
}

// === impl Routes ===

impl Routes {
    /// Follow a route, or forget it. Other weights begin another window.
    pub(super) fn set(&mut self, name: &str, object: Option<&Value>) {
        let Some(object) = object else {
            self.0.remove(name);
            return;
        };
        let route = self.0.entry(name.to_owned()).or_default();
        let hosts = object["spec"]["hostnames"].as_array().into_iter().flatten();
        route.hosts = hosts.map(|host| text(host).to_lowercase()).collect();
        let backends = backends(object);
        let last = route.windows.back();
        if last.is_some_and(|last| last.backends == backends) {
            return;
        }
        let number = last.map_or(0, |last| last.number + 1);
        route.split = Split::new(backends.clone());
        route.windows.push_back(Window { number, backends });
        if route.windows.len() > WINDOWS_MAX {
            route.windows.pop_front();
        }
    }

    /// The window and the Service of the next request to this host; a port does not matter.
    pub(super) fn choose(&mut self, host: &str) -> Result<(u64, String), Stray> {
        let host = host.split(':').next().unwrap_or_default().to_lowercase();
        let mut routes = self.0.values_mut();
        let route = routes.find(|route| route.hosts.contains(&host)).ok_or(Stray::Unknown)?;
        let window = route.windows.back().ok_or(Stray::Unknown)?.number;
        let service = route.split.next().ok_or(Stray::Weightless)?;
        Ok((window, service.to_owned()))
    }

    /// All weights that a route had, in order.
    pub(super) fn windows(&self, name: &str) -> Vec<Window> {
        let route = self.0.get(name);
        route
            .map(|route| route.windows.iter().cloned().collect())
            .unwrap_or_default()
    }
}

fn backends(route: &Value) -> Vec<Backend> {
    let backends = route["spec"]["rules"][0]["backendRefs"]
        .as_array()
        .into_iter()
        .flatten();
    let read = backends.map(|backend| Backend {
        service: text(&backend["name"]).to_owned(),
        weight: backend["weight"].as_i64().unwrap_or(WEIGHT_DEFAULT),
    });
    read.collect()
}

// === impl Gateway ===

impl Gateway {
    /// A gateway without routes.
    pub(super) fn new(endpoints: watch::Receiver<Endpoints>, client: reqwest::Client) -> Self {
        Self {
            routes: Mutex::default(),
            endpoints,
            client,
            lost: Mutex::default(),
        }
    }

    /// Follow HTTPRoutes.
    pub(super) fn observe(&self, change: &Change) {
        if change.kind == kinds::HTTP_ROUTE {
            let object = (!change.gone).then_some(&change.object);
            self.routes.lock().set(change.name(), object);
        }
    }

    /// All weights that a route had, in order.
    pub(super) fn windows(&self, route: &str) -> Vec<Window> {
        self.routes.lock().windows(route)
    }

    /// Requests to a host that reached no server.
    pub(super) fn lost(&self, host: &str) -> u64 {
        self.lost.lock().get(host).copied().unwrap_or_default()
    }

    async fn forward(&self, request: &HttpRequest, body: Bytes) -> HttpResponse {
        let host = request.connection_info().host().to_owned();
        let chosen = self.routes.lock().choose(&host);
        let (window, service) = match chosen {
            Ok(chosen) => chosen,
            Err(stray @ Stray::Unknown) => return HttpResponse::NotFound().body(stray.to_string()),
            // As the Gateway API demands it.
            Err(stray @ Stray::Weightless) => return HttpResponse::InternalServerError().body(stray.to_string()),
        };
        for _ in 0..ATTEMPTS {
            let Some(address) = self.endpoint(&service).await else {
                break;
            };
            if let Some(answer) = self.send(address, window, request, &body).await {
                return answer;
            }
        }
        let host = host.split(':').next().unwrap_or_default().to_owned();
        *self.lost.lock().entry(host).or_default() += 1;
        HttpResponse::BadGateway().body(format!("the Service {service} has no server"))
    }

    async fn endpoint(&self, service: &str) -> Option<SocketAddr> {
        let mut endpoints = self.endpoints.clone();
        let known = endpoints.wait_for(|endpoints| endpoints.contains_key(service));
        let known = timeout(ENDPOINT_WAIT, known).await.ok()?.ok()?;
        known.get(service).copied()
    }

    /// `None` when the server gave no whole answer.
    async fn send(&self, to: SocketAddr, window: u64, request: &HttpRequest, body: &Bytes) -> Option<HttpResponse> {
        // actix-web is on http 0.2, reqwest on http 1: they meet as bytes.
        let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes()).ok()?;
        let mut sent = self.client.request(method, format!("http://{to}{}", request.uri()));
        for (name, value) in request.headers() {
            // Users cannot choose where they are counted.
            if !NOT_FORWARDED.contains(name) && name.as_str() != WINDOW_HEADER {
                sent = sent.header(name.as_str(), value.as_bytes());
            }
        }
        let sent = sent.header(WINDOW_HEADER, window).body(body.clone());
        let answer = sent.send().await.ok()?;
        let status = actix_web::http::StatusCode::from_u16(answer.status().as_u16()).ok()?;
        let kind = answer
            .headers()
            .get("content-type")
            .map(|kind| kind.as_bytes().to_vec());
        let mut response = HttpResponse::build(status);
        if let Some(kind) = kind {
            response.append_header(("content-type", kind.as_slice()));
        }
        Some(response.body(answer.bytes().await.ok()?))
    }
}

/// Serve one request.
pub(super) async fn serve(request: HttpRequest, body: Bytes, gateway: Data<Gateway>) -> HttpResponse {
    gateway.forward(&request, body).await
}
