use super::*;
use crate::cluster::fake::Fake;
use engine::{View, Write, configs::Digest, objects::resource_version, seam::Act};
use jiff::Timestamp;
use kinds::{CANARY, CONFIG_MAP, DEPLOYMENT, HTTP_ROUTE, SECRET, SERVICE};
use parking_lot::Mutex;
use serde_json::json;
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::task::LocalSet;

const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
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
    fn appeared(&self, key: &str, _: &Arc<Value>) {
        self.0.lock().push(format!("appeared {key}"));
    }
    fn changed(&self, key: &str, _: &Arc<Value>) {
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
        Arc::new(move || drop(rings.fetch_add(1, Ordering::Relaxed)))
    }
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

struct Bench {
    fake: Fake,
    told: Arc<Told>,
    caches: Caches,
}

/// Let everything happen that needs no time.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "shop"}})
}

fn deployment(replicas: u32) -> Value {
    let mut object = named("web");
    object["spec"]["replicas"] = json!(replicas);
    object["metadata"]["uid"] = json!("one");
    object
}

/// Run a test against caches over this server.
async fn over<F: Future<Output = ()>>(fake: Fake, test: impl FnOnce(Bench) -> F) {
    let run = async {
        let world = World::single(Timestamp::UNIX_EPOCH, 7);
        let told = Arc::new(Told::default());
        let fleet: Arc<dyn Fleet> = told.clone();
        let caches = Caches::start(&world, &fake.client(), None, &fleet);
        settle().await;
        test(Bench { fake, told, caches }).await;
    };
    LocalSet::new().run_until(run).await;
}

fn replicas(seen: &Seen) -> Option<u64> {
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
async fn where_crds_may_not_be_watched_a_missing_kind_is_probed_slowly() {
    let fake = Fake::default();
    fake.refuse(ROUTES, 404);
    fake.refuse(CRDS, 403);
    over(fake, |Bench { fake, caches, .. }| async move {
        assert!(caches.synced());
        fake.log();
        tokio::time::sleep(Duration::from_secs(600)).await;
        let probes = fake.log().iter().filter(|line| line.ends_with("httproutes")).count();
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
        tokio::time::sleep(Duration::from_secs(600)).await;
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
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(fake.log(), Vec::<String>::new());
    })
    .await;
}

/// An own write as the actor records it; the event of it has not arrived.
fn wrote(fake: &Fake, overlay: &mut Overlay, caches: &Caches, replicas: u32) {
    let stored = Arc::new(fake.put(WEB, deployment(replicas)));
    let write = Write {
        object: DEPLOYMENT.named("shop", "web"),
        act: Act::Create(Value::Null),
    };
    overlay.record(caches, &write, &stored);
}

fn seen(caches: &Caches, overlay: &Overlay) -> Seen {
    StepView::new(caches, overlay, &Digests::default(), &Pins::default()).object(&DEPLOYMENT.named("shop", "web"))
}

#[tokio::test(start_paused = true)]
async fn a_canary_reads_its_own_writes_until_the_caches_have_them() {
    let fake = Fake::default();
    fake.put(WEB, deployment(1));
    over(fake, |Bench { fake, caches, .. }| async move {
        let mut overlay = Overlay::default();
        wrote(&fake, &mut overlay, &caches, 2);
        assert_eq!(
            replicas(&caches.object(&DEPLOYMENT.named("shop", "web"))),
            Some(1),
            "late"
        );
        assert_eq!(replicas(&seen(&caches, &overlay)), Some(2));
        overlay.prune(&caches);
        assert_eq!(overlay.len(), 1);
        // Someone else writes, then the caches see both.
        fake.put(WEB, deployment(3));
        settle().await;
        assert_eq!(replicas(&seen(&caches, &overlay)), Some(3));
        overlay.prune(&caches);
        assert!(overlay.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_others_delete_after_an_own_write_is_gone() {
    let fake = Fake::default();
    over(fake, |Bench { fake, caches, .. }| async move {
        let mut overlay = Overlay::default();
        wrote(&fake, &mut overlay, &caches, 1);
        fake.remove(WEB);
        assert_eq!(replicas(&seen(&caches, &overlay)), Some(1), "not known yet");
        settle().await;
        assert_eq!(seen(&caches, &overlay), Seen::Absent);

        // The same, but both events are lost: a list that began after the write has the last word.
        wrote(&fake, &mut overlay, &caches, 2);
        fake.lose(WEB);
        fake.expire();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(seen(&caches, &overlay), Seen::Absent);
        overlay.prune(&caches);
        assert!(overlay.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_own_deletion_is_seen_at_once_but_not_a_successor_of_the_same_name() {
    let fake = Fake::default();
    fake.put(WEB, deployment(1));
    over(fake, |Bench { fake, caches, .. }| async move {
        let mut overlay = Overlay::default();
        let write = Write {
            object: DEPLOYMENT.named("shop", "web"),
            act: Act::Delete { uid: "one".into() },
        };
        overlay.record(&caches, &write, &Arc::new(json!({"kind": "Status"})));
        assert_eq!(seen(&caches, &overlay), Seen::Absent);
        let mut successor = deployment(4);
        successor["metadata"]["uid"] = json!("two");
        fake.put(WEB, successor);
        settle().await;
        assert_eq!(replicas(&seen(&caches, &overlay)), Some(4));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn looks_of_one_step_are_stable() {
    let fake = Fake::default();
    fake.put(WEB, deployment(1));
    over(fake, |Bench { fake, caches, .. }| async move {
        let (overlay, digests, pins) = (Overlay::default(), Digests::default(), Pins::default());
        let web = DEPLOYMENT.named("shop", "web");
        let view = StepView::new(&caches, &overlay, &digests, &pins);
        let first = view.object(&web);
        fake.put(WEB, deployment(2));
        settle().await;
        assert_eq!(StepView::new(&caches, &overlay, &digests, &pins).object(&web), first);
        let version = resource_version(first.present().unwrap()).to_owned();
        assert_eq!(pins.looks(), BTreeMap::from([(web, Mark::At(version))]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn digests_are_remembered_for_one_version_and_bounded() {
    over(Fake::default(), |Bench { caches, .. }| async move {
        let mut digests = Digests::default();
        let digest = |sum: &str| Digest {
            checksum: sum.into(),
            tracked: true,
        };
        let of = CONFIG_MAP.named("shop", "settings");
        digests.remember(of.clone(), "7", digest("a"));
        let ask = |digests: &Digests, version: &str| {
            StepView::new(&caches, &Overlay::default(), digests, &Pins::default()).digest(&of, version)
        };
        assert_eq!(ask(&digests, "7"), Some(digest("a")));
        assert_eq!(ask(&digests, "8"), None);
        for number in 0..1_000 {
            digests.remember(CONFIG_MAP.named("a", &number.to_string()), "1", digest("b"));
        }
        digests.remember(of.clone(), "9", digest("c"));
        assert_eq!(ask(&digests, "9"), Some(digest("c")));
    })
    .await;
}

#[test]
fn newer_means_a_higher_version() {
    let at = |version: &str| json!({"metadata": {"resourceVersion": version}});
    for (candidate, than, newer) in [
        ("10", "9", true),
        ("9", "10", false),
        ("9", "9", false),
        ("9", "", true),
    ] {
        assert_eq!(is_newer(&at(candidate), &at(than)), newer, "{candidate} {than}");
    }
}
