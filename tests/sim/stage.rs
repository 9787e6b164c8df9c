//! A cluster, a world outside, and controllers that can be started, stopped and killed.

use actors::{election::Claim, places::Places, world::World};
use aviary::{
    controller::{Controller, Parts, Prepared},
    sandbox::{Sandbox, Settings as Cluster, kinds},
};
use engine::{Settings, Step, invariants, step::Input};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::{cell::RefCell, future::Future, sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::{JoinHandle, LocalSet, spawn_local},
};

use super::{
    manifests::{CANARIES, DEPLOYMENTS, NAMESPACE, ROUTES, canary, container, definition, definitions, deployment},
    outside::Outside,
};

/// How often a condition that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Simulated time after which nothing comes any more.
const PATIENCE: Duration = Duration::from_mins(20);

thread_local! {
    /// Invariants that were broken on this thread, which is one test's.
    static VIOLATIONS: RefCell<Vec<invariants::Violation>> = const { RefCell::new(Vec::new()) };
}

/// One simulation.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) sandbox: Sandbox,
    pub(crate) outside: Outside,
    pub(crate) settings: Settings,
}

/// A running controller.
pub(crate) struct Life {
    pub(crate) controller: Controller,
    task: JoinHandle<()>,
}

/// How a release ended: what users care for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) phase: String,
    pub(crate) primary_image: String,
    pub(crate) weights: (i64, i64),
    pub(crate) primary_replicas: i64,
    pub(crate) target_replicas: i64,
}

/// Run a test in a World of its own. At the end no invariant may have been broken.
pub(crate) fn simulate<T, F: Future<Output = T>>(seed: u64, test: impl FnOnce(Stage) -> F) -> T {
    let system = actix::System::with_tokio_rt(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    });
    let result = system.block_on(async { test(Stage::new(seed)).await });
    let violations = VIOLATIONS.with_borrow_mut(std::mem::take);
    assert_eq!(violations, []);
    result
}

/// The mind, watched: every answer is checked against the invariants.
pub(crate) fn watched_step(input: Input<'_>) -> Step {
    let step = engine::step::step(input);
    let found = invariants::check(&input, &step);
    VIOLATIONS.with_borrow_mut(|violations| violations.extend(found));
    step
}

// === impl Stage ===

impl Stage {
    fn new(seed: u64) -> Self {
        Self::in_world(World::single(Timestamp::UNIX_EPOCH, seed))
    }

    /// Another cluster in the same world.
    pub(crate) fn beside(&self) -> Self {
        Self::in_world(self.world.clone())
    }

    fn in_world(world: World) -> Self {
        // The cluster's own tasks outlive a controller: they are not started in its set of tasks.
        let (clock, runtime) = (world.clone(), Handle::current());
        let sandbox = Sandbox::new(
            Arc::new(move || clock.now()),
            Arc::new(move |task| drop(runtime.spawn(task))),
            Cluster::default(),
        );
        sandbox.install(definitions());
        for kind in kinds::standard().iter().filter(|kind| kind.custom) {
            sandbox.create(definition(kind)).unwrap();
        }
        Self {
            world,
            sandbox,
            outside: Outside::default(),
            settings: Settings::default(),
        }
    }

    /// Start a controller and wait until it acts.
    pub(crate) async fn start(&self) -> Life {
        self.start_with(watched_step, self.sandbox.client(), Claim::always())
            .await
    }

    pub(crate) async fn start_with(
        &self,
        step: fn(Input<'_>) -> Step,
        places: impl Into<Places>,
        claim: Claim,
    ) -> Life {
        let places = places.into();
        let settings = Settings {
            mesh_apart: places.mesh().is_some(),
            ..self.settings.clone()
        };
        let parts = Parts {
            world: self.world.clone(),
            places,
            outbound: self.outside.service(),
            settings,
            namespace: None,
            claim: claim.clone(),
            step,
        };
        let (tell, told) = oneshot::channel();
        // All tasks of one controller live in a set of their own: dropping it kills them wherever they are.
        let task = spawn_local(async move {
            let tasks = LocalSet::new();
            let life = async move {
                let prepared = Prepared::start(parts).await.unwrap();
                prepared.ready().await;
                claim.acquired().await;
                tell.send(prepared.act()).ok();
                std::future::pending::<()>().await;
            };
            tasks.run_until(life).await;
        });
        let controller = told.await.unwrap();
        Life { controller, task }
    }

    /// A Deployment and its Canary.
    pub(crate) fn install(&self, name: &str, spec: &Value) {
        self.sandbox.create(deployment(name)).unwrap();
        self.sandbox.create(canary(name, spec)).unwrap();
    }

    /// Set the image, as `kubectl set image` does.
    pub(crate) fn set_version(&self, name: &str, version: &str) {
        let patch = json!({"spec": {"template": {"spec": {"containers": [container(name, version)]}}}});
        self.sandbox.patch(DEPLOYMENTS, NAMESPACE, name, &patch).unwrap();
    }

    /// Change the spec of a Canary by a merge patch.
    pub(crate) fn edit(&self, name: &str, spec: &Value) {
        let patch = json!({"spec": spec});
        self.sandbox.patch(CANARIES, NAMESPACE, name, &patch).unwrap();
    }

    /// Wait for something; panics with `what` when it does not come.
    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let begun = self.world.instant();
        while !holds() {
            let waited = self.world.instant().duration_since(begun);
            assert!(
                waited < PATIENCE,
                "{what}: not within {PATIENCE:?}\n{:#?}",
                self.history()
            );
            self.world.sleep(LOOK).await;
        }
    }

    /// Wait until the canary is in one of these phases.
    pub(crate) async fn reach(&self, name: &str, phases: &[&str]) {
        let what = format!("{name} in {phases:?}");
        self.until(&what, || phases.contains(&self.phase(name).as_str())).await;
    }

    /// Wait until the canary is initialised, release version 2, and wait until it has ended.
    pub(crate) async fn release(&self, name: &str) {
        self.reach(name, &["Initialized"]).await;
        self.set_version(name, "2");
        self.reach(name, &["Succeeded", "Failed"]).await;
    }

    /// Let time pass.
    pub(crate) async fn wait(&self, seconds: u64) {
        self.world.sleep(Duration::from_secs(seconds)).await;
    }

    pub(crate) fn status(&self, name: &str) -> Value {
        self.sandbox.get(CANARIES, NAMESPACE, name).unwrap()["status"].clone()
    }

    pub(crate) fn phase(&self, name: &str) -> String {
        self.status(name)["phase"].as_str().unwrap_or_default().to_owned()
    }

    /// Condition of a canary: status, reason, message.
    pub(crate) fn condition(&self, name: &str, kind: &str) -> Option<(String, String, String)> {
        let status = self.status(name);
        let found = status["conditions"]
            .as_array()?
            .iter()
            .find(|found| found["type"] == kind)?;
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        Some((text("status"), text("reason"), text("message")))
    }

    /// Messages of all Events about this canary.
    pub(crate) fn events(&self, name: &str) -> Vec<String> {
        let events = self.sandbox.list("events", None).unwrap();
        let about = events.iter().filter(|event| event["involvedObject"]["name"] == name);
        about
            .map(|event| event["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    pub(crate) fn has_event(&self, name: &str, part: &str) -> bool {
        self.events(name).iter().any(|message| message.contains(part))
    }

    /// Weights of primary and canary; of a route that is not there, (-1, -1).
    pub(crate) fn weights(&self, name: &str) -> (i64, i64) {
        let Ok(route) = self.sandbox.get(ROUTES, NAMESPACE, name) else {
            return (-1, -1);
        };
        let backends = &route["spec"]["rules"][0]["backendRefs"];
        let weight = |at: usize| backends[at]["weight"].as_i64().unwrap_or(-1);
        (weight(0), weight(1))
    }

    pub(crate) fn end(&self, name: &str) -> End {
        let get = |name: &str| self.sandbox.get(DEPLOYMENTS, NAMESPACE, name).unwrap_or_default();
        let (target, primary) = (get(name), get(&format!("{name}-primary")));
        let image = &primary["spec"]["template"]["spec"]["containers"][0]["image"];
        End {
            phase: self.phase(name),
            primary_image: image.as_str().unwrap_or_default().to_owned(),
            weights: self.weights(name),
            primary_replicas: primary["spec"]["replicas"].as_i64().unwrap_or(-1),
            target_replicas: target["spec"]["replicas"].as_i64().unwrap_or(-1),
        }
    }

    /// The last requests, to tell what went wrong.
    fn history(&self) -> Vec<String> {
        let journal = self.sandbox.journal();
        let writes: Vec<_> = journal.iter().filter(|entry| entry.is_write()).collect();
        let last = writes.iter().rev().take(25).rev();
        last.map(|entry| {
            let body: String = String::from_utf8_lossy(&entry.body).chars().take(300).collect();
            format!("{} {} {} {} {body}", entry.at, entry.method, entry.path, entry.code)
        })
        .collect()
    }
}

// === impl Life ===

impl Life {
    /// End it as SIGKILL does: nothing is finished and nobody is told.
    pub(crate) async fn kill(self) {
        self.task.abort();
        drop(self.controller);
        self.task.await.ok();
    }

    /// End it as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.controller.stop().await;
        self.task.abort();
        self.task.await.ok();
    }
}

// === impl End ===

impl End {
    /// Promoted: version 2 has everything.
    pub(crate) fn good(name: &str) -> Self {
        Self {
            phase: "Succeeded".into(),
            primary_image: format!("{name}:2"),
            ..Self::bad(name)
        }
    }

    /// Rolled back: version 1 has everything.
    pub(crate) fn bad(name: &str) -> Self {
        Self {
            phase: "Failed".into(),
            primary_image: format!("{name}:1"),
            weights: (100, 0),
            primary_replicas: 1,
            target_replicas: 0,
        }
    }
}
