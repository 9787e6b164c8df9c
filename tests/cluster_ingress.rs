//! The ingress providers on the real API server with the products' own CRDs: every shape that they write, strictly validated, and whole releases
//! with the account of deploy/kustomize/base.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixtures are for several tests, this one needs a part of them"
)]

mod cluster;
mod ingress;

use cluster::{
    lab::{Lab, Room},
    objects::{NEW, deployment},
    process::Controller,
    server::serve,
    until,
};
use engine::routes::Split;
use ingress::{FLAGS, PROVIDERS, Scene, adopted, canary, sources, tested};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

const MINUTE: Duration = Duration::from_mins(1);
/// What is installed late, to see that its canary waits for it.
const LATE: &str = "contour";

/// How often the gate of each canary is still open.
type Gates = Arc<Mutex<BTreeMap<String, usize>>>;

#[tokio::test]
async fn ingress_controllers() {
    let Some(definitions) = ingress::definitions() else {
        return;
    };
    let Some(lab) = Lab::open().await else { return };
    let gone = lab.kubectl(&["delete", "crd", "httpproxies.projectcontour.io", "--ignore-not-found"]);
    assert!(gone.status.success(), "{gone:?}");
    for (name, file) in PROVIDERS {
        if let Some(file) = file.filter(|_| name != LATE) {
            install(&lab, &definitions.join(file)).await;
        }
    }
    let room = lab.room("ingress").await;
    let flags = [
        format!("-ingress-annotations-prefix={}", FLAGS.annotations_prefix),
        format!("-ingress-class={}", FLAGS.ingress_class),
    ];
    let flags = flags.each_ref().map(String::as_str);
    let controller = Controller::start(&lab, "ingress", &flags).await;
    let (port, gates) = gate();
    for (name, _) in PROVIDERS {
        start(&room, name, port).await;
    }
    // Without its kind a canary says so, and goes on when it comes.
    is_refused(&room, LATE, "HTTPProxy projectcontour.io/v1 is not installed").await;
    install(&lab, &definitions.join("contour.yaml")).await;
    bad_input(&room).await;

    let shapes = async {
        for (name, _) in PROVIDERS {
            every_shape(&room, name).await;
        }
    };
    let releases = PROVIDERS.map(|(name, _)| release(&room, name, &gates));
    futures::join!(shapes, futures::future::join_all(releases));
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    lab.close().await;
}

/// Returns when the kinds are served.
async fn install(lab: &Lab, file: &Path) {
    let file = file.to_str().unwrap();
    let applied = lab.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", file]);
    assert!(applied.status.success(), "{applied:?}");
    // A definition that was made this moment has no conditions yet, which kubectl takes for an error.
    let wait = ["wait", "--for=condition=Established", "--timeout=60s", "-f", file];
    let established = async || lab.kubectl(&wait).status.success().then_some(());
    until("the definitions are established", MINUTE, established).await;
}

/// A gate for each canary, by the path of the request; closed until it is opened.
fn gate() -> (u16, Gates) {
    let gates = Gates::default();
    let left = gates.clone();
    let port = serve(move |path, _| {
        let mut gates = left.lock();
        let left = gates.entry(path.trim_matches('/').to_owned()).or_default();
        let is_open = *left > 0;
        *left = left.saturating_sub(1);
        (if is_open { 200 } else { 403 }, String::new())
    });
    (port, gates)
}

/// What the user has, also under the name of the route, and then the canary.
async fn start(room: &Room<'_>, name: &str, port: u16) {
    for (plural, object) in everything(name) {
        room.create(plural, object).await;
    }
    room.create("deployments", deployment(name)).await;
    let url = format!("http://127.0.0.1:{port}/{name}");
    let gate = json!([{"name": "step", "type": "confirm-traffic-increase", "url": url}]);
    let spec = json!({"revertOnDeletion": true, "analysis": {"webhooks": gate}});
    room.create("canaries", canary(name, name, &spec)).await;
}

fn everything(name: &str) -> Vec<(&'static str, Value)> {
    let taken_over = adopted(name, name).into_iter().filter(|_| name != LATE);
    sources(name, name).into_iter().chain(taken_over).collect()
}

/// The owner is told once, by an Event and a condition.
async fn is_refused(room: &Room<'_>, name: &str, why: &str) {
    let status = room
        .until_status(name, "refused", |status| !condition(status, "Accepted").is_null())
        .await;
    let accepted = condition(&status, "Accepted");
    assert_eq!(
        (&accepted["status"], &accepted["reason"]),
        (&json!("False"), &json!("RouteSourceNotFound"))
    );
    let message = accepted["message"].as_str().unwrap();
    assert!(message.contains(why), "{message}");
    room.until_told(name, &[why]).await;
}

fn condition(status: &Value, kind: &str) -> Value {
    let all = status["conditions"].as_array().into_iter().flatten();
    all.into_iter()
        .find(|condition| condition["type"] == kind)
        .cloned()
        .unwrap_or_default()
}

/// Objects of the user's that are missing, or lead nowhere; mending them is enough.
async fn bad_input(room: &Room<'_>) {
    let cases = [
        ("nginx", "is not there", None),
        (
            "skipper",
            "no path that leads to",
            Some(json!({"spec": {"rules": [{"host": "a.test"}]}})),
        ),
        (
            "apisix",
            "no http rule that leads to",
            Some(json!({"spec": {"http": [{"name": "x", "match": {"paths": ["/"]}}]}})),
        ),
        ("gloo", "is not there", None),
    ];
    for (provider, why, change) in cases {
        let name = format!("bad-{provider}");
        let all = sources(&name, provider);
        if let Some(change) = &change {
            let mut broken = all[0].1.clone();
            engine::json::merge(&mut broken, change);
            room.create(all[0].0, broken).await;
        }
        room.create("deployments", deployment(&name)).await;
        room.create("canaries", canary(&name, provider, &json!({}))).await;
        is_refused(room, &name, why).await;
        let (plural, object) = all.into_iter().next().unwrap();
        match change {
            None => drop(room.create(plural, object).await),
            Some(_) => drop(
                room.patch(
                    plural,
                    object["metadata"]["name"].as_str().unwrap(),
                    json!({"spec": object["spec"]}),
                )
                .await,
            ),
        }
        let status = room.until_phase(&name, "Initialized").await;
        assert_eq!(condition(&status, "Accepted")["status"], Value::Null, "{name}");
    }
    // What the provider cannot do is refused before anything is made.
    let asked = json!({"analysis": tested()});
    room.create("canaries", canary("refused", "traefik", &asked)).await;
    room.until_told("refused", &["spec.analysis.match"]).await;
    assert_eq!(room.find("traefikservices", "refused").await, None);
}

/// Weights, A/B, mirror, drift and what comes back, all of it stored by the API server as it was written.
async fn every_shape(room: &Room<'_>, provider: &str) {
    let name = format!("shape-{provider}");
    for side in ["primary", "canary"] {
        let service = json!({"metadata": {"name": format!("{name}-{side}")}, "spec": {"selector": {"app": side}, "ports": [{"port": 9898}]}});
        room.create("services", service).await;
    }
    let mine = adopted(&name, provider);
    for (plural, object) in sources(&name, provider).into_iter().chain(mine.clone()) {
        room.create(plural, object).await;
    }
    // The controller leaves it alone.
    room.create("canaries", canary(&name, provider, &json!({"suspend": true})))
        .await;
    let mut scene = Scene::of(room, &name).await;
    for weight in [0, 10, 50, 100, 50] {
        scene.settle(Split::of(weight)).await;
    }
    scene.spoil().await;
    scene.look().await;
    assert_ne!(scene.split().await, Some(Split::of(50)), "{name}: the edit is seen");
    scene.settle(Split::of(50)).await;
    scene.settle(Split::PRIMARY).await;
    if scene.provider.capabilities.mirror {
        scene.analyse(&json!({"mirror": true, "mirrorWeight": 10}));
        scene.settle(Split::PRIMARY.mirrored()).await;
        scene.settle(Split::PRIMARY).await;
    }
    if scene.provider.capabilities.ab {
        scene.analyse(&json!({"mirror": null}));
        scene.analyse(&tested());
        for weight in [0, 100, 40, 0] {
            scene.settle(Split::of(weight)).await;
        }
    }
    let reverts = scene.provider.reverts(&scene.context());
    assert_eq!(reverts.len(), mine.len(), "{name}");
    scene.write(reverts).await;
    for (plural, object) in mine {
        assert_eq!(room.get(plural, &name).await["spec"], object["spec"], "{name}");
    }
    for (plural, object) in sources(&name, provider) {
        let source = object["metadata"]["name"].as_str().unwrap();
        assert_eq!(room.get(plural, source).await["spec"], object["spec"], "{name}");
    }
}

/// A whole release, with a foreign edit in the middle, and the deletion.
async fn release(room: &Room<'_>, name: &str, gates: &Gates) {
    room.until_phase(name, "Initialized").await;
    let mut scene = Scene::of(room, name).await;
    assert_eq!(scene.split().await, Some(Split::PRIMARY), "{name}");
    gates.lock().insert(name.to_owned(), 1);
    room.set_image(name, "podinfod", NEW);
    let half = async |scene: &mut Scene<'_>, what: &str| {
        let look = async || (scene.split().await == Some(Split::of(50))).then_some(());
        until(&format!("{name} is at one half{what}"), 2 * MINUTE, look).await;
    };
    half(&mut scene, "").await;
    scene.spoil().await;
    half(&mut scene, " again").await;
    let weight = room.get("canaries", name).await["status"]["canaryWeight"].clone();
    assert_eq!(weight, 50, "{name}: the run goes on where it was");
    gates.lock().insert(name.to_owned(), usize::MAX);
    room.until_phase(name, "Succeeded").await;
    assert_eq!(scene.split().await, Some(Split::PRIMARY), "{name}");

    room.lab
        .call("DELETE", &room.path("canaries", name), None)
        .await
        .unwrap();
    let gone = async || room.find("canaries", name).await.is_none().then_some(());
    until(&format!("{name} is gone"), 2 * MINUTE, gone).await;
    for (plural, object) in everything(name) {
        let mine = object["metadata"]["name"].as_str().unwrap();
        assert_eq!(room.get(plural, mine).await["spec"], object["spec"], "{name}");
    }
}
