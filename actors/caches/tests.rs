use super::*;
use crate::cluster::fake::Fake;
use engine::View;
use jiff::Timestamp;
use kinds::{CANARY, CONFIG_MAP, DEPLOYMENT, HTTP_ROUTE, SECRET, SERVICE};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::task::LocalSet;

pub(super) const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
const ROUTES: &str = "/apis/gateway.networking.k8s.io/v1/httproutes";
const ROUTE_CRD: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/httproutes.gateway.networking.k8s.io";
const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// Canaries and what was told about them.
#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Told {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock())
    }
}

impl Fleet for Told {
    fn appeared(&self, key: &str) {
        self.0.lock().push(format!("appeared {key}"));
    }
    fn changed(&self, key: &str) {
        self.0.lock().push(format!("changed {key}"));
    }
    fn gone(&self, key: &str) {
        self.0.lock().push(format!("gone {key}"));
    }
    fn relisted(&self) {
        self.0.lock().push("relisted".into());
    }
}

#[derive(Clone, Default)]
struct Rings(Arc<AtomicUsize>);

impl Rings {
    fn bell(&self) -> Ring {
        let rings = self.0.clone();
        Arc::new(move || {
            rings.fetch_add(1, Ordering::Relaxed);
        })
    }
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

pub(crate) struct Bench {
    pub(crate) fake: Fake,
    told: Arc<Told>,
    pub(crate) caches: Caches,
}

/// Let everything happen that needs no time.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop"}})
}

pub(super) fn deployment(replicas: u32) -> Value {
    let mut object = named("web");
    object["spec"]["replicas"] = json!(replicas);
    object["metadata"]["uid"] = json!("one");
    object
}

/// Run a test against caches over this server.
pub(crate) async fn over<F: Future<Output = ()>>(fake: Fake, test: impl FnOnce(Bench) -> F) {
    over_namespace(fake, None, test).await;
}

/// The same, where only this namespace is watched.
async fn over_namespace<F: Future<Output = ()>>(fake: Fake, namespace: Option<&str>, test: impl FnOnce(Bench) -> F) {
    let run = async {
        let world = World::single(Timestamp::UNIX_EPOCH, 7);
        let told = Arc::new(Told::default());
        let fleet: Arc<dyn Fleet> = told.clone();
        let caches = Caches::start(&world, &fake.client().into(), namespace, &fleet);
        settle().await;
        caches.learn(&BTreeSet::from([HTTP_ROUTE])).await;
        test(Bench { fake, told, caches }).await;
    };
    LocalSet::new().run_until(run).await;
}

pub(super) fn replicas(seen: &Seen) -> Option<u64> {
    seen.present().and_then(|object| object["spec"]["replicas"].as_u64())
}

#[tokio::test(start_paused = true)]
async fn objects_are_kept_as_they_are_but_secrets_without_their_data() {
    let fake = Fake::default();
    fake.put(WEB, deployment(2));
    let mut secret = named("token");
    secret["data"] = json!({"password": "eA=="});
    secret["metadata"]["annotations"] =
        json!({"kubectl.kubernetes.io/last-applied-configuration": "eA==", "flagger.app/config-tracking": "disabled"});
    fake.put("/api/v1/namespaces/shop/secrets/token", secret);
    let odd =
        json!({"metadata": {"name": "odd", "namespace": "shop", "labels": 5, "creationTimestamp": "soon"}, "spec": []});
    fake.put("/api/v1/namespaces/shop/services/odd", odd);
    over(fake, |Bench { caches, .. }| async move {
        assert!(caches.synced() && caches.unsynced().is_empty());
        caches.wait_synced().await;
        let web = caches.object(&DEPLOYMENT.named("shop", "web"));
        let web = web.present().unwrap();
        assert_eq!(
            (&web["kind"], &web["apiVersion"]),
            (&json!("Deployment"), &json!("apps/v1"))
        );
        assert!(web["metadata"].get("managedFields").is_none());
        let token = caches.object(&SECRET.named("shop", "token"));
        let token = token.present().unwrap();
        assert_eq!((&token["kind"], token.get("data")), (&json!("Secret"), None));
        let annotations = &token["metadata"]["annotations"];
        assert_eq!(*annotations, json!({"flagger.app/config-tracking": "disabled"}));
        assert!(caches.object(&SERVICE.named("shop", "odd")).present().is_some());
        assert_eq!(caches.object(&CONFIG_MAP.named("shop", "none")), Seen::Absent);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_change_rings_those_who_looked_and_nobody_else() {
    let fake = Fake::default();
    fake.put(WEB, deployment(1));
    over(fake, |Bench { fake, caches, .. }| async move {
        let (rings, others) = (Rings::default(), Rings::default());
        let (mine, other) = (caches.subscribe(rings.bell()), caches.subscribe(others.bell()));
        let looks = |of: ObjectRef| {
            let pins = Pins::default();
            StepView::new(&caches, &Overlay::default(), &Digests::default(), &pins).object(&of);
            pins.looks()
        };
        mine.set_interest(&looks(DEPLOYMENT.named("shop", "web")));
        other.set_interest(&looks(DEPLOYMENT.named("shop", "api")));
        assert_eq!(rings.take(), 0);
        for change in [Some(2), Some(3), None, Some(4)] {
            match change {
                Some(replicas) => drop(fake.put(WEB, deployment(replicas))),
                None => fake.remove(WEB),
            }
            settle().await;
            assert_eq!((rings.take(), others.take()), (1, 0), "{change:?}");
        }
        let before = looks(DEPLOYMENT.named("shop", "api"));
        fake.put("/apis/apps/v1/namespaces/shop/deployments/api", named("api"));
        settle().await;
        assert_eq!((rings.take(), others.take()), (0, 1));
        mine.set_interest(&before);
        assert_eq!(rings.take(), 1, "it changed between the look and the interest");
        fake.put(WEB, deployment(5));
        settle().await;
        assert_eq!(rings.take(), 0, "the interest has moved on");
        drop(mine);
        fake.put("/apis/apps/v1/namespaces/shop/deployments/api", named("api"));
        settle().await;
        assert_eq!((rings.take(), others.take()), (0, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_installed_later_is_noticed_and_its_end_too() {
    let fake = Fake::default();
    fake.refuse(ROUTES, 404);
    over(fake, |Bench { fake, caches, .. }| async move {
        let web = HTTP_ROUTE.named("shop", "web");
        assert!(caches.synced());
        assert_eq!(caches.object(&web), Seen::NoSuchKind);
        let rings = Rings::default();
        let subscription = caches.subscribe(rings.bell());
        subscription.set_interest(&BTreeMap::from([(web.clone(), Mark::NoSuchKind)]));
        fake.log();
        tokio::time::sleep(Duration::from_secs(250)).await;
        assert_eq!(fake.log(), Vec::<String>::new(), "a missing kind costs nothing");

        fake.put(
            ROUTE_CRD,
            json!({"metadata": {"name": "httproutes.gateway.networking.k8s.io"}}),
        );
        settle().await;
        assert_eq!(
            caches.object(&web),
            Seen::NoSuchKind,
            "its CRD is there, but it is not served yet"
        );
        fake.serve(ROUTES);
        fake.put(
            "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/web",
            named("web"),
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(caches.object(&web).present().is_some());
        assert_eq!(rings.take(), 1);

        fake.refuse(ROUTES, 404);
        fake.remove(ROUTE_CRD);
        settle().await;
        assert_eq!(caches.object(&web), Seen::NoSuchKind);
        assert_eq!(rings.take(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_no_canary_looks_at_is_not_watched() {
    let fake = Fake::default();
    let vs = kinds::VIRTUAL_SERVICE;
    over(fake, |Bench { fake, caches, .. }| async move {
        assert!(watched().contains_key(&vs));
        let asked = |fake: &Fake| fake.log().iter().filter(|line| line.contains("istio.io")).count();
        assert_eq!(asked(&fake), 0);
        let pins = Pins::default();
        let (overlay, digests) = (Overlay::default(), Digests::default());
        let look = || StepView::new(&caches, &overlay, &digests, &pins).object(&vs.named("shop", "web"));
        look();
        let unknown = pins.take_unknown();
        assert_eq!((&unknown, pins.looks().len()), (&BTreeSet::from([vs]), 0));
        assert!(caches.learn(&unknown).await);
        assert_eq!(look(), Seen::Absent);
        assert_eq!(
            (asked(&fake) > 0, pins.take_unknown().len(), pins.looks().len()),
            (true, 0, 1)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_concluded_from_a_kind_that_cannot_be_listed() {
    let fake = Fake::default();
    fake.refuse("/apis/networking.k8s.io/v1/ingresses", 500);
    over(fake, |Bench { fake, caches, .. }| async move {
        let ingress = kinds::INGRESS;
        let unknown = BTreeSet::from([ingress]);
        assert!(!caches.learn(&unknown).await);
        assert!(caches.synced(), "whoever does not need it goes on");
        fake.serve("/apis/networking.k8s.io/v1/ingresses");
        assert!(caches.learn(&unknown).await);
        assert_eq!(caches.object(&ingress.named("shop", "web")), Seen::Absent);
    })
    .await;
}

/// So that a Role in that namespace is enough (DP-7).
#[tokio::test(start_paused = true)]
async fn with_one_namespace_nothing_of_the_cluster_is_asked_for() {
    let fake = Fake::default();
    fake.put(WEB, deployment(2));
    let log = fake.clone();
    over_namespace(fake, Some("shop"), |Bench { caches, .. }| async move {
        assert!(caches.object(&DEPLOYMENT.named("shop", "web")).present().is_some());
        tokio::time::sleep(Duration::from_mins(3)).await;
        let asked = log.log();
        assert!(!asked.is_empty());
        let outside: Vec<&String> = asked
            .iter()
            .filter(|line| !line.contains("/namespaces/shop/"))
            .collect();
        assert_eq!(outside, Vec::<&String>::new());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_its_crd_does_not_serve_costs_next_to_nothing() {
    let fake = Fake::default();
    fake.refuse(ROUTES, 404);
    fake.put(
        ROUTE_CRD,
        json!({"metadata": {"name": "httproutes.gateway.networking.k8s.io"}}),
    );
    over(fake, |Bench { fake, caches, .. }| async move {
        let tries = |fake: &Fake| fake.log().iter().filter(|line| line.ends_with(ROUTES)).count();
        tokio::time::sleep(Duration::from_mins(3)).await;
        let first = tries(&fake);
        assert!((5..=12).contains(&first), "{first}");
        tokio::time::sleep(Duration::from_hours(1)).await;
        let later = tries(&fake);
        assert!(later <= 6, "{later} in an hour");

        fake.serve(ROUTES);
        let changed =
            json!({"metadata": {"name": "httproutes.gateway.networking.k8s.io", "labels": {"served": "now"}}});
        fake.put(ROUTE_CRD, changed);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(caches.object(&HTTP_ROUTE.named("shop", "web")), Seen::Absent);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn where_crds_may_not_be_watched_a_missing_kind_is_probed_slowly() {
    let fake = Fake::default();
    fake.refuse(ROUTES, 404);
    fake.refuse(CRDS, 403);
    over(fake, |Bench { fake, caches, .. }| async move {
        assert!(caches.synced());
        fake.log();
        tokio::time::sleep(Duration::from_mins(10)).await;
        let probes = fake.log().iter().filter(|line| line.ends_with(ROUTES)).count();
        assert!((9..=11).contains(&probes), "{probes}");
        fake.serve(ROUTES);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(caches.object(&HTTP_ROUTE.named("shop", "web")), Seen::Absent);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_deletion_is_found_at_the_next_list() {
    let canary = |name: &str| format!("/apis/flagger.app/v1beta1/namespaces/shop/canaries/{name}");
    let fake = Fake::default();
    fake.put(&canary("a"), named("a"));
    fake.put(&canary("b"), named("b"));
    over(fake, |Bench { fake, told, caches }| async move {
        assert_eq!(told.take(), ["appeared shop/a", "appeared shop/b", "relisted"]);
        fake.put(&canary("a"), named("a"));
        fake.put(&canary("c"), named("c"));
        settle().await;
        assert_eq!(told.take(), ["changed shop/a", "appeared shop/c"]);
        fake.lose(&canary("b"));
        fake.expire();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(told.take(), ["gone shop/b", "relisted"]);
        assert_eq!(caches.object(&CANARY.named("shop", "b")), Seen::Absent);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_watch_waits_longer_and_longer_and_keeps_what_it_knows() {
    let fake = Fake::default();
    fake.put(WEB, deployment(1));
    over(fake, |Bench { fake, caches, .. }| async move {
        fake.refuse("/apis/apps/v1/deployments", 500);
        fake.expire();
        settle().await;
        fake.log();
        tokio::time::sleep(Duration::from_mins(10)).await;
        let lists = fake.log().iter().filter(|line| line.ends_with("/deployments")).count();
        // 0.5 + 1 + 2 + 4 + 8 + 16 s, then every 15 to 30 s.
        assert!((20..=50).contains(&lists), "{lists}");
        assert_eq!(replicas(&caches.object(&DEPLOYMENT.named("shop", "web"))), Some(1));
        fake.put(WEB, deployment(9));
        fake.serve("/apis/apps/v1/deployments");
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(replicas(&caches.object(&DEPLOYMENT.named("shop", "web"))), Some(9));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_may_not_be_listed_is_not_synced() {
    let fake = Fake::default();
    fake.refuse("/api/v1/secrets", 403);
    over(fake, |Bench { fake, caches, .. }| async move {
        assert_eq!((caches.synced(), caches.unsynced()), (false, vec![SECRET]));
        assert_eq!(
            caches.object(&SECRET.named("shop", "x")),
            Seen::NoSuchKind,
            "never absent before it is known"
        );
        fake.serve("/api/v1/secrets");
        caches.wait_synced().await;
        assert_eq!(caches.object(&SECRET.named("shop", "x")), Seen::Absent);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_watches_end_with_the_caches() {
    over(Fake::default(), |Bench { fake, caches, .. }| async move {
        drop(caches);
        settle().await;
        fake.log();
        fake.expire();
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(fake.log(), Vec::<String>::new());
    })
    .await;
}
