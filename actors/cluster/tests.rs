use super::{fake::Fake, wire::classify, *};
use engine::objects::kinds::{CONFIG_MAP, DEPLOYMENT};
use jiff::Timestamp;
use kube::Client;
use kube::core::Status;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/shop/deployments";
const CANARIES: &str = "/apis/flagger.app/v1beta1/namespaces/shop/canaries";

type As = fn(String) -> Trouble;
type Calls = Arc<Mutex<Vec<(&'static str, &'static str)>>>;

struct Bench {
    fake: Fake,
    cluster: Cluster,
    leads: Arc<AtomicBool>,
    calls: Calls,
}

fn bench() -> Bench {
    let fake = Fake::default();
    let leads = Arc::new(AtomicBool::new(true));
    let calls = Calls::default();
    let (leading, told) = (leads.clone(), calls.clone());
    let cluster = Cluster::new(
        fake.client(),
        World::single(Timestamp::UNIX_EPOCH, 1),
        Arc::new(move || leading.load(Ordering::Relaxed)),
        Arc::new(move |call| told.lock().push((call.verb, call.result))),
    );
    Bench {
        fake,
        cluster,
        leads,
        calls,
    }
}

fn canary(fake: &Fake, status: &Value) -> Canary {
    let object = json!({
        "apiVersion": "flagger.app/v1beta1", "kind": "Canary",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"}}, "status": status,
    });
    let stored = fake.put(&format!("{CANARIES}/web"), object);
    serde_json::from_value(stored).unwrap()
}

fn weighing(weight: i64) -> CanaryStatus {
    CanaryStatus {
        canary_weight: weight,
        ..CanaryStatus::default()
    }
}

fn merge(patch: Value, version: &str) -> Write {
    Write {
        object: DEPLOYMENT.named("shop", "web"),
        act: Act::Merge {
            patch,
            resource_version: version.into(),
            generation: None,
        },
    }
}

#[test]
fn errors_are_classified_by_what_the_caller_can_do() {
    let cases: [(u16, As); 10] = [
        (409, Trouble::Conflict),
        (404, Trouble::NotFound),
        (400, Trouble::Refused),
        (403, Trouble::Refused),
        (422, Trouble::Refused),
        (401, Trouble::Unavailable),
        (410, Trouble::Unavailable),
        (429, Trouble::Unavailable),
        (500, Trouble::Unavailable),
        (503, Trouble::Unavailable),
    ];
    for (code, trouble) in cases {
        let error = kube::Error::Api(Status::failure("as said", "Reason").with_code(code).boxed());
        assert_eq!(classify(&error), trouble("as said".into()), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_survives_a_hiccup_and_loses_the_managed_fields() {
    let Bench {
        fake, cluster, calls, ..
    } = bench();
    fake.put(
        &format!("{DEPLOYMENTS}/web"),
        json!({"metadata": {"name": "web"}, "odd": 1}),
    );
    fake.script("GET", 503);
    fake.script("GET", 429);
    let read = cluster.read(&DEPLOYMENT.named("shop", "web")).await.unwrap().unwrap();
    assert_eq!(read["odd"], 1);
    assert!(read["metadata"].get("managedFields").is_none());
    assert_eq!(
        *calls.lock(),
        [("get", "unavailable"), ("get", "unavailable"), ("get", "ok")]
    );
    assert_eq!(cluster.read(&DEPLOYMENT.named("shop", "none")).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_unavailable_after_the_deadline() {
    let silent = tower::service_fn(|_: http::Request<kube::client::Body>| {
        futures::future::pending::<Result<http::Response<kube::client::Body>, std::convert::Infallible>>()
    });
    let world = World::single(Timestamp::UNIX_EPOCH, 1);
    let (guard, tally) = unguarded();
    let cluster = Cluster::new(Client::new(silent, "default"), world.clone(), guard, tally);
    let begun = world.instant();
    let answer = cluster.read(&DEPLOYMENT.named("shop", "web")).await;
    assert!(matches!(answer, Err(Trouble::Unavailable(_))));
    assert!(begun.elapsed() <= DEADLINE);
}

#[tokio::test(start_paused = true)]
async fn writes_carry_their_preconditions() {
    let Bench { fake, cluster, .. } = bench();
    let of = DEPLOYMENT.named("shop", "web");
    let create = Write {
        object: of.clone(),
        act: Act::Create(json!({"spec": {"replicas": 1}})),
    };
    let made = cluster.write(&create).await.unwrap();
    assert_eq!(
        (&made["kind"], &made["metadata"]["namespace"]),
        (&json!("Deployment"), &json!("shop"))
    );
    assert!(matches!(cluster.write(&create).await, Err(Trouble::Conflict(_))));

    let patch = json!({"spec": {"replicas": 3}});
    assert!(matches!(
        cluster.write(&merge(patch.clone(), "77")).await,
        Err(Trouble::Conflict(_))
    ));
    let version = resource_version(&made).to_owned();
    let after = cluster.write(&merge(patch, &version)).await.unwrap();
    assert_eq!(after["spec"]["replicas"], 3);

    let delete = |uid: &str| Write {
        object: of.clone(),
        act: Act::Delete { uid: uid.into() },
    };
    assert!(matches!(
        cluster.write(&delete("other")).await,
        Err(Trouble::Conflict(_))
    ));
    let uid = made["metadata"]["uid"].as_str().unwrap();
    assert!(cluster.write(&delete(uid)).await.is_ok());
    assert!(fake.object(&format!("{DEPLOYMENTS}/web")).is_none());
}

#[tokio::test(start_paused = true)]
async fn without_leadership_nothing_is_written() {
    let Bench {
        fake,
        cluster,
        leads,
        calls,
    } = bench();
    let canary = canary(&fake, &Value::Null);
    leads.store(false, Ordering::Relaxed);
    let trouble = Err(Trouble::Unavailable("not the leader".into()));
    assert_eq!(
        cluster.write(&merge(json!({}), "1")).await,
        trouble.clone().map(Arc::new)
    );
    assert_eq!(cluster.save_status(&canary, &weighing(5)).await, trouble);
    assert_eq!(fake.log(), Vec::<String>::new());
    assert_eq!(*calls.lock(), [("patch", "not_leader"), ("patch_status", "not_leader")]);
}

#[tokio::test(start_paused = true)]
async fn a_name_cannot_leave_its_place_in_the_url() {
    let Bench { fake, cluster, .. } = bench();
    for name in ["../../secrets/x", "a/b", "a?b", "", "..", "a%2f"] {
        let answer = cluster.read(&CONFIG_MAP.named(name, "x")).await;
        assert!(matches!(answer, Err(Trouble::Refused(_))), "{name}");
    }
    assert!(fake.log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_status_is_saved_with_one_patch_of_what_differs() {
    let Bench { fake, cluster, .. } = bench();
    let canary = canary(
        &fake,
        &json!({"phase": "Progressing", "canaryWeight": 5, "strange": true, "trackedConfigs": {"a": "1"}}),
    );
    fake.log();
    let saved = cluster.save_status(&canary, &weighing(10)).await.unwrap();
    assert_eq!(saved["status"]["canaryWeight"], 10);
    assert_eq!(saved["status"]["strange"], true, "fields of others stay");
    assert_eq!(saved["status"].get("trackedConfigs"), None);
    assert_eq!(fake.log(), [format!("PATCH {CANARIES}/web/status")]);
}

#[tokio::test(start_paused = true)]
async fn a_status_is_saved_over_an_edit_of_the_spec() {
    let Bench { fake, cluster, .. } = bench();
    let old = canary(&fake, &json!({"canaryWeight": 5}));
    let mut edited = fake.object(&format!("{CANARIES}/web")).unwrap();
    edited["spec"]["suspend"] = json!(true);
    fake.put(&format!("{CANARIES}/web"), edited);
    let saved = cluster.save_status(&old, &weighing(10)).await.unwrap();
    assert_eq!(
        (&saved["spec"]["suspend"], &saved["status"]["canaryWeight"]),
        (&json!(true), &json!(10))
    );
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_was_made_again_gets_no_old_status() {
    let Bench { fake, cluster, .. } = bench();
    let old = canary(&fake, &Value::Null);
    fake.remove(&format!("{CANARIES}/web"));
    canary(&fake, &Value::Null);
    assert!(matches!(
        cluster.save_status(&old, &weighing(10)).await,
        Err(Trouble::NotFound(_))
    ));
    assert!(fake.object(&format!("{CANARIES}/web")).unwrap()["status"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_save_of_unknown_fate_starts_from_what_is_there() {
    let Bench { fake, cluster, .. } = bench();
    let old = canary(&fake, &json!({"canaryWeight": 5}));
    // The first attempt is answered with 503, although it was carried out.
    let mut written = fake.object(&format!("{CANARIES}/web")).unwrap();
    written["status"] = serde_json::to_value(weighing(10)).unwrap();
    fake.put(&format!("{CANARIES}/web"), written);
    fake.script("PATCH", 503);
    fake.log();
    let saved = cluster.save_status(&old, &weighing(10)).await.unwrap();
    assert_eq!(saved["status"]["canaryWeight"], 10);
    let asked: Vec<_> = fake
        .log()
        .iter()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(asked, ["PATCH", "GET"], "not written twice");
}
