//! docs/migrate.md, command by command, with objects as Flagger leaves them, and with Flagger itself, there and back: no run is started,
//! nothing is lost, and the next release works.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixtures are for all cluster tests, this one needs a part of them"
)]

mod charts;
mod cluster;
mod companions;

use charts::{
    Ground, HOME, chores,
    flagger::{self, Flagger},
    peer, shared, steps,
};
use cluster::{
    lab::{Room, items, text},
    objects::{NEW, OLD, canary, deployment, weight},
    process::Controller,
    server::Hooks,
    until,
};
use serde_json::{Value, json};
use std::{path::Path, time::Duration};

const MINUTE: Duration = Duration::from_mins(1);
/// A version after the one that Flagger has released.
const NEXT: &str = "stefanprodan/podinfo:3.0.2";
/// And one after that.
const LAST: &str = "stefanprodan/podinfo:3.0.3";
/// Canaries that Flagger itself makes: one that it has never released, one with success, one without, one that it is about to release, and
/// one that gets a new version while nobody leads.
const MADE: [&str; 5] = ["fresh", "podinfo", "broken", "midway", "pushed"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migration() {
    let Some(ground) = Ground::up("cluster-migrate").await else {
        return;
    };
    let lab = ground.lab();
    flagger::install(&ground);
    let room = lab.room("moved").await;
    peer::leave(&room, "podinfo", false).await;
    peer::leave(&room, "broken", true).await;
    for name in ["podinfo-primary", "broken-primary"] {
        ground.kubectl(&[
            "-n",
            &room.name,
            "rollout",
            "status",
            &format!("deployment/{name}"),
            "--timeout=60s",
        ]);
    }
    let before = chores::census(&room).await;
    let generations = generations(&room, &["podinfo", "broken"]).await;

    let folder = steps::workplace("migrate");
    let mut commands = steps::commands("To Aviary").into_iter();
    for command in commands.by_ref() {
        steps::run(&ground, &folder, &command);
        if command.contains("helm upgrade") {
            break;
        }
    }
    let controller = chores::controller(lab, "aviary-system", "aviary").await;
    for name in ["podinfo", "broken"] {
        let what = format!("the hashes of {name} are replaced");
        until(&what, MINUTE, async || {
            let status = room.get("canaries", name).await["status"].clone();
            (!peer::has_its_hashes(&status)).then_some(())
        })
        .await;
    }
    for command in commands {
        steps::run(&ground, &folder, &command);
    }
    is_as_it_was(&room).await;
    assert_eq!(chores::census(&room).await, before);
    let now = self::generations(&room, &["podinfo", "broken"]).await;
    assert_eq!(now, generations, "something was rolled out");

    room.set_image("podinfo", "podinfod", NEXT);
    room.until_phase("podinfo", "Progressing").await;
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(image(&room, "podinfo-primary").await, NEXT);
    assert_eq!(chores::census(&room).await, before);

    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    back(&ground, &room, &folder).await;
    assert_eq!(chores::census(&room).await, before);
}

async fn is_as_it_was(room: &Room<'_>) {
    for (name, phase, stable) in [("podinfo", "Succeeded", NEW), ("broken", "Failed", OLD)] {
        let status = room.get("canaries", name).await["status"].clone();
        assert_eq!(
            (text(&status["phase"]), &status["canaryWeight"]),
            (phase, &json!(0)),
            "{status:#}"
        );
        assert_eq!(weight(&room.get("httproutes", name).await, name), 0);
        assert_eq!(image(room, &format!("{name}-primary")).await, stable);
        assert_eq!(room.get("deployments", name).await["spec"]["replicas"], 0);
        let told = room.messages(name).await;
        assert!(
            !told
                .iter()
                .any(|it| it.contains("New revision") || it.contains("Rolling back")),
            "{told:#?}"
        );
        let accepted = status["conditions"].as_array().into_iter().flatten();
        let accepted = accepted.filter(|it| it["type"] == "Accepted" && it["status"] == "False");
        assert_eq!(accepted.count(), 0, "{status:#}");
    }
}

/// What the users' pods come from, and how often that has changed.
async fn generations(room: &Room<'_>, canaries: &[&str]) -> Value {
    let mut all = json!({});
    for name in canaries
        .iter()
        .flat_map(|name| [(*name).to_owned(), format!("{name}-primary")])
    {
        all[&name] = room.get("deployments", &name).await["metadata"]["generation"].clone();
    }
    all
}

async fn image(room: &Room<'_>, name: &str) -> Value {
    room.get("deployments", name).await["spec"]["template"]["spec"]["containers"][0]["image"].take()
}

/// The way back: what Flagger needs is there, and nothing that it would take for a change.
async fn back(ground: &Ground, room: &Room<'_>, folder: &Path) {
    for command in steps::commands("Back to Flagger") {
        steps::run(ground, folder, &command);
    }
    if let Some(definitions) = shared("data/crds") {
        let path = definitions.join("flagger.yaml");
        ground.kubectl(&[
            "apply",
            "--server-side",
            "--force-conflicts",
            "-f",
            &path.to_string_lossy(),
        ]);
    }
    for name in ["podinfo", "broken"] {
        let object = room.get("canaries", name).await;
        let status = &object["status"];
        assert_eq!(text(&status["phase"]), "Initializing");
        for field in ["lastAppliedSpec", "lastPromotedSpec", "conditions"] {
            assert_eq!(status[field], Value::Null, "{field}");
        }
        assert_eq!(weight(&room.get("httproutes", name).await, name), 0);
    }
    let deployment = room
        .lab
        .get("/apis/apps/v1/namespaces/aviary-system/deployments/aviary")
        .await;
    assert_eq!(deployment, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_flagger_itself() {
    let Some(ground) = Ground::up("cluster-flagger").await else {
        return;
    };
    flagger::install(&ground);
    let room = ground.lab().room("shared").await;
    let hooks = Hooks::start();
    let theirs = Flagger::start(&ground, &[]).await;
    made_by_flagger(&room, &hooks).await;

    let folder = steps::workplace("flagger");
    let ours = there(&ground, &room, &folder, theirs).await;

    room.set_image("podinfo", "podinfod", NEXT);
    room.until_phase("podinfo", "Progressing").await;
    room.until_phase("podinfo", "Succeeded").await;
    assert_eq!(image(&room, "podinfo-primary").await, NEXT);

    let theirs = and_back(&ground, &room, &folder, ours).await;

    // Flagger goes on: the next release, the one that had failed, and a deletion.
    let still = ["fresh", "midway", "pushed"];
    let before = (runs(&room, &still).await, generations(&room, &still).await);
    hooks.answer("/load", 200);
    for name in ["podinfo", "broken"] {
        room.set_image(name, "podinfod", LAST);
    }
    for name in ["podinfo", "broken"] {
        room.until_phase(name, "Succeeded").await;
        assert_eq!(image(&room, &format!("{name}-primary")).await, LAST);
    }
    // Meanwhile it has looked at the others several times.
    assert_eq!((runs(&room, &still).await, generations(&room, &still).await), before);
    ground.kubectl(&["-n", &room.name, "delete", "canary", "fresh", "--timeout=60s"]);
    theirs.stop().await;
}

/// All that Flagger itself does before anybody else comes.
async fn made_by_flagger(room: &Room<'_>, hooks: &Hooks) {
    hooks.answer("/load", 500);
    for name in MADE {
        room.create("deployments", deployment(name)).await;
        let mut object = canary(name);
        let analysis = &mut object["spec"]["analysis"];
        // Flagger makes a step in ten seconds at best: one run in one step, the other in as many as last until it has gone.
        analysis["stepWeight"] = json!(if name == "midway" { 5 } else { 50 });
        if name == "broken" {
            analysis["threshold"] = json!(1);
            analysis["webhooks"] =
                json!([{"name": "load", "type": "rollout", "url": hooks.url("/load"), "timeout": "5s"}]);
        }
        room.create("canaries", object).await;
    }
    for name in MADE {
        room.until_phase(name, "Initialized").await;
    }
    for name in ["podinfo", "broken", "midway"] {
        room.set_image(name, "podinfod", NEW);
    }
    room.until_phase("podinfo", "Succeeded").await;
    room.until_phase("broken", "Failed").await;
    room.until_status("midway", "in the middle of its run", |status| {
        status["phase"] == "Progressing" && status["canaryWeight"].as_i64() >= Some(5)
    })
    .await;
}

/// From Flagger to Aviary, in the middle of a run.
async fn there(ground: &Ground, room: &Room<'_>, folder: &Path, theirs: Flagger) -> Controller {
    let mut theirs = Some(theirs);
    let mut left = None;
    let mut ours = None;
    let mut weight_left = 0;
    let at_rest = ["fresh", "podinfo", "broken"];
    let in_hand = ["fresh", "podinfo", "broken", "midway"];
    for command in steps::commands("To Aviary") {
        steps::run(ground, folder, &command);
        if command.contains("scale deployment/flagger") {
            theirs.take().unwrap().stop().await;
            let midway = room.get("canaries", "midway").await["status"].clone();
            assert_eq!(text(&midway["phase"]), "Progressing", "{midway:#}");
            weight_left = midway["canaryWeight"].as_i64().unwrap();
            room.set_image("pushed", "podinfod", NEW);
            left = Some((
                chores::census(room).await,
                generations(room, &at_rest).await,
                runs(room, &in_hand).await,
            ));
        } else if command.contains("helm upgrade") {
            ours = Some(chores::controller(ground.lab(), "aviary-system", "aviary").await);
            for name in at_rest {
                room.until_status(name, "without hashes of Flagger", |status| {
                    !peer::has_its_hashes(status)
                })
                .await;
            }
        }
    }
    // The run goes on where it was, and what was pushed meanwhile is released.
    for name in ["midway", "pushed"] {
        room.until_phase(name, "Succeeded").await;
        assert_eq!(image(room, &format!("{name}-primary")).await, NEW);
    }
    let next = format!("Advance midway.{} canary weight {}", room.name, weight_left + 5);
    assert!(
        room.messages("midway").await.contains(&next),
        "{next}: {:#?}",
        room.messages("midway").await
    );
    let now = (
        chores::census(room).await,
        generations(room, &at_rest).await,
        runs(room, &in_hand).await,
    );
    assert_eq!(Some(now), left);
    for (name, phase, stable) in [
        ("fresh", "Initialized", OLD),
        ("podinfo", "Succeeded", NEW),
        ("broken", "Failed", OLD),
    ] {
        let status = room.get("canaries", name).await["status"].clone();
        assert_eq!(text(&status["phase"]), phase, "{name}: {status:#}");
        assert_eq!(image(room, &format!("{name}-primary")).await, stable);
        assert_eq!(weight(&room.get("httproutes", name).await, name), 0);
    }
    ours.expect("the document installs Aviary")
}

/// From Aviary to Flagger, with all at rest.
async fn and_back(ground: &Ground, room: &Room<'_>, folder: &Path, ours: Controller) -> Flagger {
    let left = (
        chores::census(room).await,
        generations(room, &MADE).await,
        runs(room, &MADE).await,
    );
    let mut ours = Some(ours);
    for command in steps::commands("Back to Flagger") {
        steps::run(ground, folder, &command);
        if command.contains("helm uninstall") {
            let ended = ours.take().unwrap().terminate(Duration::from_secs(10)).await;
            assert!(ended.success(), "{ended}");
        }
    }
    assert!(ours.is_none(), "the document does not stop Aviary");
    let theirs = Flagger::start(ground, &[]).await;
    for name in MADE {
        let status = room.until_phase(name, "Initialized").await;
        assert!(peer::has_its_hashes(&status), "{status:#}");
        assert_eq!(weight(&room.get("httproutes", name).await, name), 0);
    }
    let now = (
        chores::census(room).await,
        generations(room, &MADE).await,
        runs(room, &MADE).await,
    );
    assert_eq!(now, left);
    theirs
}

/// How often each canary's Events tell of a new revision.
async fn runs(room: &Room<'_>, canaries: &[&str]) -> Value {
    let events = items(room.find("events", "").await);
    let mut all = json!({});
    for name in canaries {
        let news = events.iter().filter(|event| {
            event["involvedObject"]["name"] == *name && text(&event["message"]).contains("New revision detected")
        });
        let times: i64 = news.map(|event| event["count"].as_i64().unwrap_or(1)).sum();
        all[name] = json!(times);
    }
    all
}

/// The other way: both at once, and one Lease. Who does not hold it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_meet_at_one_lease() {
    let Some(ground) = Ground::up("cluster-lease").await else {
        return;
    };
    flagger::install(&ground);
    ground.kubectl(&["create", "namespace", HOME]);
    let room = ground.lab().room("leased").await;
    let place = format!("-leader-election-namespace={HOME}");
    let theirs = Flagger::start(&ground, &["-enable-leader-election", &place]).await;
    let folder = steps::workplace("lease");
    let install = steps::commands("To Aviary")
        .into_iter()
        .find(|it| it.contains("helm upgrade"));
    steps::run(&ground, &folder, &install.unwrap());
    room.create("deployments", deployment("podinfo")).await;
    room.create("canaries", canary("podinfo")).await;
    let ours = chores::controller(ground.lab(), HOME, "aviary").await;
    let status = room.until_phase("podinfo", "Initialized").await;
    assert!(peer::has_its_hashes(&status), "it was not Flagger: {status:#}");
    assert!(!ours.acts().await, "there are two leaders");

    theirs.stop().await;
    // Flagger's Lease is for a minute.
    until("Aviary leads", 3 * MINUTE, async || ours.acts().await.then_some(())).await;
    let theirs = Flagger::start(&ground, &["-enable-leader-election", &place]).await;
    room.set_image("podinfo", "podinfod", NEW);
    let status = room.until_phase("podinfo", "Succeeded").await;
    assert!(!peer::has_its_hashes(&status), "it was Flagger: {status:#}");
    assert_eq!(image(&room, "podinfo-primary").await, NEW);
    theirs.stop().await;
    let ended = ours.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
}
