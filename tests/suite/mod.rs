//! Integration tests from one source for two clusters: the in-process API with a paused clock (tests/suite_sandbox.rs) and the real
//! control plane (tests/cluster_suite.rs). The controller is the real one, in this process; metrics and hooks are scripted.

use actors::{election::Claim, outbound, world::World};
use aviary::controller::{Controller, Parts, Prepared};
use engine::{Settings, http::Response};
use futures::future::{LocalBoxFuture, join_all};
use kube::Client;
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{collections::BTreeSet, future::Future, rc::Rc, sync::Arc, time::Duration};

pub(crate) mod scenarios;

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(200);
/// A run of five checks takes five intervals of 10 s at the most; this is far more.
const PATIENCE: Duration = Duration::from_mins(3);
/// Shortest interval between two checks, so that the real clock does not make the suite slow.
const FLOOR: Duration = Duration::from_secs(1);

/// Lets a controller into one namespace and gives it the client that it has there.
pub(crate) type Entrance = Rc<dyn Fn(&str) -> LocalBoxFuture<'static, Client>>;

/// Where the controllers are.
#[derive(Clone)]
pub(crate) enum Reach {
    /// One looks after the whole cluster.
    Cluster(Client),
    /// Each namespace has its own, that may not look beyond it.
    Namespace(Entrance),
}

/// What the scenarios stand on: a cluster, with the controllers in it.
#[derive(Clone)]
pub(crate) struct Ground {
    user: Client,
    world: World,
    reach: Reach,
    running: Rc<Mutex<Vec<Controller>>>,
    /// Makes names that no other run uses.
    mark: String,
    /// Namespaces whose gate is closed.
    closed: Arc<Mutex<BTreeSet<String>>>,
}

/// A namespace of one scenario.
pub(crate) struct Room {
    ground: Ground,
    pub(crate) namespace: String,
}

/// Run a future on one thread, with a clock that is paused or not.
pub(crate) fn on_one_thread<T>(paused: bool, future: impl Future<Output = T>) -> T {
    let system = actix::System::with_tokio_rt(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(paused).build().unwrap()
    });
    system.block_on(future)
}

/// Start the controllers and play all scenarios side by side over `user`.
pub(crate) async fn play(world: World, user: Client, reach: Reach, mark: &str) {
    let ground = Ground {
        user,
        world,
        reach,
        running: Rc::default(),
        mark: mark.to_owned(),
        closed: Arc::default(),
    };
    if let Reach::Cluster(client) = &ground.reach {
        ground.control(client.clone(), None).await;
    }
    join_all(scenarios::all(&ground)).await;
    let running = std::mem::take(&mut *ground.running.lock());
    for controller in running {
        controller.stop().await;
    }
}

// === impl Ground ===

impl Ground {
    /// Start a controller.
    async fn control(&self, client: Client, namespace: Option<String>) {
        let parts = Parts {
            world: self.world.clone(),
            places: client.into(),
            outbound: self.outside(),
            settings: Settings {
                interval_floor: FLOOR,
                mesh_provider: "gatewayapi:v1".into(),
                ..Settings::default()
            },
            namespace,
            claim: Claim::always(),
            step: engine::step::step,
        };
        let prepared = Prepared::start(parts).await.unwrap();
        prepared.ready().await;
        self.running.lock().push(prepared.act());
    }

    /// Metrics are bad where the namespace says so, and gates are as the scenario sets them.
    fn outside(&self) -> outbound::Outbound {
        let closed = self.closed.clone();
        outbound::scripted(move |request| {
            let is_closed = closed
                .lock()
                .iter()
                .any(|namespace| request.body.contains(namespace.as_str()));
            let status = if request.url.contains("/gate") && is_closed {
                403
            } else {
                200
            };
            let value = match &request.url {
                url if url.contains("vector%281%29") => "1",
                url if url.contains("quantile") => "0.2",
                url if url.contains("-bad-") => "90",
                _ => "100",
            };
            let sample = json!({"metric": {}, "value": [0, value]});
            let body = json!({"status": "success", "data": {"resultType": "vector", "result": [sample]}});
            (
                Duration::ZERO,
                Ok(Response {
                    status,
                    body: body.to_string(),
                    retry_after: None,
                }),
            )
        })
    }

    /// A namespace of its own.
    pub(crate) async fn room(&self, name: &str) -> Room {
        let namespace = format!("suite-{name}-{}", self.mark);
        let room = Room {
            ground: self.clone(),
            namespace,
        };
        // The mark by which later cluster tests find and remove what is left here.
        let labels = json!({"aviary.test/made-by": "cluster-tests"});
        let metadata = json!({"name": room.namespace, "labels": labels});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        room.call("POST", "/api/v1/namespaces", Some(&object)).await.unwrap();
        if let Reach::Namespace(enter) = &self.reach {
            let client = enter(&room.namespace).await;
            self.control(client, Some(room.namespace.clone())).await;
        }
        room
    }
}

// === impl Room ===

impl Room {
    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> kube::Result<Value> {
        let content = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content);
        let bytes = body.map(Value::to_string).unwrap_or_default().into_bytes();
        self.ground.user.request(request.body(bytes).unwrap()).await
    }

    fn path(&self, plural: &str, name: &str) -> String {
        let root = match plural {
            "canaries" => "/apis/flagger.app/v1beta1",
            "deployments" => "/apis/apps/v1",
            "httproutes" => "/apis/gateway.networking.k8s.io/v1",
            _ => "/api/v1",
        };
        format!("{root}/namespaces/{}/{plural}/{name}", self.namespace)
    }

    /// Create an object.
    pub(crate) async fn create(&self, plural: &str, object: &Value) {
        let path = self.path(plural, "");
        self.call("POST", path.trim_end_matches('/'), Some(object))
            .await
            .unwrap();
    }

    /// Merge a patch into an object.
    pub(crate) async fn patch(&self, plural: &str, name: &str, patch: &Value) {
        self.call("PATCH", &self.path(plural, name), Some(patch)).await.unwrap();
    }

    /// Delete an object.
    pub(crate) async fn delete(&self, plural: &str, name: &str) {
        self.call("DELETE", &self.path(plural, name), None).await.unwrap();
    }

    /// The object; null where there is none.
    pub(crate) async fn get(&self, plural: &str, name: &str) -> Value {
        match self.call("GET", &self.path(plural, name), None).await {
            Ok(object) => object,
            Err(kube::Error::Api(status)) if status.is_not_found() => Value::Null,
            Err(error) => panic!("{plural} {name}: {error}"),
        }
    }

    /// Look until it is so.
    pub(crate) async fn until(&self, plural: &str, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let mut object = Value::Null;
        let look = async {
            loop {
                object = self.get(plural, name).await;
                if is_so(&object) {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let seen = tokio::time::timeout(PATIENCE, look).await;
        assert!(
            seen.is_ok(),
            "{}: {plural} {name} is not {what}: {object:#}",
            self.namespace
        );
        object
    }

    /// Wait for a phase of the canary.
    pub(crate) async fn phase(&self, phase: &str) -> Value {
        self.until("canaries", "app", phase, |canary| canary["status"]["phase"] == phase)
            .await
    }

    /// Close or open the gate of this namespace.
    pub(crate) fn gate(&self, open: bool) {
        let mut closed = self.ground.closed.lock();
        if open {
            closed.remove(&self.namespace);
        } else {
            closed.insert(self.namespace.clone());
        }
    }
}
