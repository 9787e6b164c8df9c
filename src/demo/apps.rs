//! The applications: a real HTTP server for each workload whose pods are ready, with the version that they run.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data},
};
use actors::world::World;
use engine::objects::kinds;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

use super::{
    cast::{self, Role},
    gateway::WINDOW_HEADER,
    ledger::{Ledger, Pod},
    mirror::{Change, text},
    server::Server,
};

/// What an application does with a request.
const WORK: Duration = Duration::from_millis(3);
/// A server whose workload is gone serves for so long, until every gateway knows; in a cluster this is a preStop hook.
const DRAIN: Duration = Duration::from_millis(500);

/// Servers by the name of the Service that selects them.
pub(super) type Endpoints = BTreeMap<String, SocketAddr>;

/// All running servers.
pub(super) struct Apps {
    world: World,
    ledger: Ledger,
    running: BTreeMap<String, Running>,
    /// What runs or ran last, by workload.
    last: BTreeMap<String, Pod>,
    /// Selectors by the Service's name.
    selectors: BTreeMap<String, Value>,
    endpoints: watch::Sender<Endpoints>,
}

struct Running {
    pod: Pod,
    /// Labels of its pods.
    labels: Value,
    server: Server,
}

/// One server's state.
struct App {
    world: World,
    ledger: Ledger,
    pod: Pod,
    role: Option<&'static Role>,
    requests: AtomicU64,
}

/// What a Deployment says about its pods.
#[derive(Debug, PartialEq, Eq)]
enum Stand {
    /// There are none and there shall be none.
    Nothing,
    /// They are starting or being replaced: what runs goes on.
    Moving,
    /// All run this image and are ready.
    Ready(String),
}

// === impl Apps ===

impl Apps {
    /// Nothing runs. The second value tells where each Service leads.
    pub(super) fn new(world: World, ledger: Ledger) -> (Self, watch::Receiver<Endpoints>) {
        let (endpoints, told) = watch::channel(Endpoints::new());
        let apps = Self {
            world,
            ledger,
            running: BTreeMap::new(),
            last: BTreeMap::new(),
            selectors: BTreeMap::new(),
            endpoints,
        };
        (apps, told)
    }

    /// Start and stop servers as a Deployment's pods come and go, and follow Services.
    pub(super) fn observe(&mut self, change: &Change) -> io::Result<()> {
        let name = change.name().to_owned();
        if change.kind == kinds::SERVICE {
            if change.gone {
                self.selectors.remove(&name);
            } else {
                self.selectors.insert(name, change.object["spec"]["selector"].clone());
            }
        } else if change.kind == kinds::DEPLOYMENT {
            match stand(change) {
                Stand::Moving => return Ok(()),
                Stand::Nothing => self.replace(&name, None),
                Stand::Ready(image) => self.start(&name, image, &change.object)?,
            }
        }
        self.publish();
        Ok(())
    }

    /// What runs now.
    pub(super) fn pods(&self) -> Vec<Pod> {
        self.running.values().map(|running| running.pod.clone()).collect()
    }

    /// What a workload runs, or ran last, and whether it still does.
    pub(super) fn last(&self, workload: &str) -> Option<(&Pod, bool)> {
        let pod = self.last.get(workload)?;
        Some((pod, self.running.contains_key(workload)))
    }

    fn start(&mut self, name: &str, image: String, deployment: &Value) -> io::Result<()> {
        let pod = Pod {
            workload: name.to_owned(),
            image,
        };
        if self.running.get(name).is_some_and(|running| running.pod == pod) {
            return Ok(());
        }
        self.ledger.open(&pod);
        let app = Arc::new(App {
            world: self.world.clone(),
            ledger: self.ledger.clone(),
            role: cast::CAST
                .into_iter()
                .find(|role| pod.image.starts_with(&role.image(""))),
            pod: pod.clone(),
            requests: AtomicU64::new(0),
        });
        let server = Server::start(&app, serve)?;
        self.last.insert(name.to_owned(), pod.clone());
        let labels = deployment["spec"]["template"]["metadata"]["labels"].clone();
        self.replace(name, Some(Running { pod, labels, server }));
        Ok(())
    }

    /// Put another server, or none, in the place of a workload's present one, which ends a little later.
    fn replace(&mut self, name: &str, next: Option<Running>) {
        let before = match next {
            Some(next) => self.running.insert(name.to_owned(), next),
            None => self.running.remove(name),
        };
        let Some(before) = before else { return };
        let world = self.world.clone();
        tokio::task::spawn_local(async move {
            world.sleep(DRAIN).await;
            before.server.stop().await;
        });
    }

    fn publish(&self) {
        let leads = |selector: &Value| {
            let selected = |running: &&Running| selects(selector, &running.labels);
            self.running
                .values()
                .find(selected)
                .map(|running| running.server.address)
        };
        let routes = self.selectors.iter();
        let endpoints = routes
            .filter_map(|(service, selector)| Some((service.clone(), leads(selector)?)))
            .collect();
        self.endpoints.send_if_modified(|known| {
            let changed = *known != endpoints;
            *known = endpoints;
            changed
        });
    }
}

fn stand(change: &Change) -> Stand {
    let (object, status) = (&change.object, &change.object["status"]);
    let replicas = object["spec"]["replicas"].as_i64().unwrap_or(1);
    if change.gone || replicas == 0 {
        return Stand::Nothing;
    }
    let counts = |field: &str| status[field].as_i64().unwrap_or_default();
    let current = counts("observedGeneration") == object["metadata"]["generation"].as_i64().unwrap_or_default();
    // While older pods are left, not all requests would meet the new version.
    let settled = counts("replicas") == replicas && counts("updatedReplicas") == replicas;
    if !current || !settled || counts("readyReplicas") < replicas {
        return Stand::Moving;
    }
    Stand::Ready(text(&object["spec"]["template"]["spec"]["containers"][0]["image"]).to_owned())
}

/// An empty selector selects nothing, as in Kubernetes.
fn selects(selector: &Value, labels: &Value) -> bool {
    let Some(wanted) = selector.as_object().filter(|wanted| !wanted.is_empty()) else {
        return false;
    };
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
}

async fn serve(request: HttpRequest, _: Bytes, app: Data<App>) -> HttpResponse {
    let begun = app.world.instant();
    let nth = app.requests.fetch_add(1, Ordering::Relaxed) + 1;
    app.world.sleep(WORK).await;
    let fails = app.role.is_some_and(|role| role.fails(&app.pod.image, nth));
    let window = request.headers().get(WINDOW_HEADER);
    let window = window
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    let seconds = app.world.instant().duration_since(begun).as_secs_f64();
    app.ledger.count(&app.pod, window, !fails, seconds);
    let body = format!("{} {}\n", app.pod.workload, app.pod.version());
    if fails {
        HttpResponse::InternalServerError().body(body)
    } else {
        HttpResponse::Ok().body(body)
    }
}

#[cfg(test)]
mod tests;
