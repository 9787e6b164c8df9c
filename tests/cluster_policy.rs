//! The admission policies on the real API server: they name what the controller would name, refuse where that is chosen, and stand in
//! nobody's way.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture and the corpus are for several tests, this one needs a part of them"
)]

mod cluster;
#[path = "../crds/tests/examples/mod.rs"]
mod examples;
mod policy;

use cluster::lab::{Lab, Room, text};
use crds::{
    decode,
    policy::{CANARIES, DELETIONS},
};
use policy::{
    cases,
    copies::{self, Copy},
    verdicts::{self, expected, named},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, process::Output};

/// Where [`broken`] can never work.
const BROKEN: &str = "spec.analysis.stepWeight";

/// What a documented example has in place of a part of an address, and where.
const PLACEHOLDER: (&str, &str) = ("<k6_loadtester_service_name>", "spec.analysis.webhooks[].url");

#[tokio::test]
async fn policies() {
    let Some(lab) = Lab::open().await else { return };
    copies::remove(&lab).await;
    let warned = lab.room("policy-warned").await;
    let denied = lab.room("policy-denied").await;
    let applied = lab.room("policy-applied").await;
    before_the_policy(&denied).await;
    let strict = Copy {
        room: &warned,
        actions: &["Warn", "Audit"],
        failure: "Fail",
    };
    let chosen = chosen_actions(&lab);
    let chosen: Vec<&str> = chosen.iter().map(String::as_str).collect();
    let deny = Copy {
        room: &denied,
        actions: &chosen,
        failure: "Ignore",
    };
    strict.install("warn").await;
    deny.install("deny").await;
    agreement(&warned).await;
    deletions(&warned).await;
    denial(&denied).await;
    documents(&denied).await;
    kubectl(&applied);
    copies::remove(&lab).await;
    lab.close().await;
}

/// For each object, the policy and the controller name the same paths; a failing expression would be told, as this copy fails closed.
async fn agreement(room: &Room<'_>) {
    let mut objects: Vec<(String, Value)> = cases::all();
    if let (Some(seeds), Some(traces)) = (examples::shared("seeds"), examples::shared("data/traces")) {
        let mut found = examples::documents(&seeds);
        for (scenarios, golden) in [("scenarios", "golden"), ("scenarios-routes", "golden-routes")] {
            found.extend(examples::scenarios(&traces.join(scenarios), &traces.join(golden)));
        }
        objects.extend(found.into_iter().map(|example| (example.from, example.object)));
    }
    objects.extend(
        examples::written_out()
            .into_iter()
            .map(|example| (example.from, example.object)),
    );
    let mut seen = BTreeSet::new();
    let mut reached = BTreeSet::new();
    for (from, object) in &objects {
        if object["kind"] != "Canary" || !seen.insert(object["spec"].to_string()) {
            continue;
        }
        let (stored, warnings) = post(room, object, "?dryRun=All").await;
        let stored = stored.unwrap_or_else(|error| panic!("{from}: {error}: {object}"));
        let (canary, _) = decode::canary(&stored).unwrap_or_else(|error| panic!("{from}: {error}"));
        let told = named(&warnings, &copies::name("warn", CANARIES));
        assert_eq!(told, expected(&canary), "{from}: {warnings:#?}: {object}");
        reached.extend(told);
    }
    for rule in crds::policy::rules::rules() {
        let paths: BTreeSet<String> = match rule.id {
            "whole-numbers" => verdicts::numbers(),
            _ => BTreeSet::from([rule.path.to_owned()]),
        };
        assert!(paths.is_subset(&reached), "{}: no object breaks {paths:?}", rule.id);
    }
    println!("{} canaries were judged alike", seen.len());
}

/// Deleting warns where nothing would be left that serves, and only there.
async fn deletions(room: &Room<'_>) {
    let deployment = json!({"spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app"}}});
    let service = json!({"spec": {"targetRef": {"apiVersion": "v1", "kind": "Service", "name": "app"}}});
    let reverts = json!({"spec": {"revertOnDeletion": true}});
    let keeps = json!({"spec": {"revertOnDeletion": false}});
    let cases = [
        (&deployment, "Initialized", 0, true),
        (&deployment, "Waiting", 0, true),
        (&deployment, "Succeeded", 0, true),
        (&deployment, "Failed", 0, true),
        (&keeps, "Succeeded", 0, true),
        // The canary was kept, because only it works.
        (&deployment, "Failed", 100, false),
        (&deployment, "", 0, false),
        (&deployment, "Initializing", 0, false),
        (&deployment, "Progressing", 20, false),
        (&deployment, "WaitingPromotion", 0, false),
        (&deployment, "Promoting", 0, false),
        (&deployment, "Finalising", 0, false),
        (&reverts, "Succeeded", 0, false),
        (&service, "Succeeded", 0, false),
    ];
    for (number, (patch, phase, weight, warns)) in cases.into_iter().enumerate() {
        let mut object = examples::base();
        examples::merge(&mut object, patch);
        object["metadata"] = json!({"name": format!("deleted-{number}")});
        let (stored, _) = post(room, &object, "").await;
        stored.unwrap();
        let path = room.path("canaries", &format!("deleted-{number}"));
        let status = json!({"status": {
            "phase": phase, "canaryWeight": weight, "failedChecks": 0, "iterations": 0,
        }});
        let status_path = format!("{path}/status");
        room.lab.call("PATCH", &status_path, Some(&status)).await.unwrap();
        let (deleted, warnings) = room.lab.warned("DELETE", &path, &json!({})).await;
        deleted.unwrap();
        let told = named(&warnings, &copies::name("warn", DELETIONS));
        let expected: BTreeSet<String> = warns.then(|| "spec.revertOnDeletion".to_owned()).into_iter().collect();
        assert_eq!(told, expected, "{phase} {weight} {patch}: {warnings:?}");
    }
}

/// A Canary from a time without policies, with what can never work in it.
async fn before_the_policy(room: &Room<'_>) {
    let mut object = broken();
    object["metadata"] = json!({"name": "from-before"});
    post(room, &object, "").await.0.unwrap();
}

/// Chosen, the policy refuses what can never work, and nothing else: not a sound Canary, no label, no finalizer, no deletion.
async fn denial(room: &Room<'_>) {
    let (refused, _) = post(room, &broken(), "").await;
    let refused = refused.unwrap_err();
    assert!(
        refused.contains(BROKEN) && refused.contains("write a percentage"),
        "{refused}"
    );
    let (taken, warnings) = post(room, &examples::base(), "?dryRun=All").await;
    taken.unwrap();
    assert_eq!(warnings, Vec::<String>::new());

    let change = async |what: Value| {
        let path = room.path("canaries", "from-before");
        room.lab.call("PATCH", &path, Some(&what)).await
    };
    change(json!({"metadata": {"labels": {"team": "a"}}})).await.unwrap();
    let worse = change(json!({"spec": {"analysis": {"stepWeight": -1}}})).await;
    assert!(worse.unwrap_err().to_string().contains(BROKEN));
    // It goes as it was: held by a finalizer, as the controller does, and let go.
    change(json!({"metadata": {"finalizers": ["aviary.test/held"]}}))
        .await
        .unwrap();
    let path = room.path("canaries", "from-before");
    let deleted = room.lab.call("DELETE", &path, None).await;
    let freed = change(json!({"metadata": {"finalizers": null}})).await;
    deleted.unwrap();
    freed.unwrap();
    assert_eq!(room.find("canaries", "from-before").await, None);

    let mut mended = examples::base();
    mended["metadata"] = json!({"name": "edited"});
    post(room, &mended, "").await.0.unwrap();
    let path = room.path("canaries", "edited");
    let edit = json!({"spec": {"provider": "istio", "analysis": {"stepWeight": 0}}});
    let edited = room.lab.call("PATCH", &path, Some(&edit)).await;
    assert!(edited.unwrap_err().to_string().contains(BROKEN));
}

/// Nothing that the documents show and that can work is refused.
async fn documents(room: &Room<'_>) {
    let mut found = examples::written_out();
    if let Some(seeds) = examples::shared("seeds") {
        found.extend(examples::documents(&seeds));
    }
    let notes = include_str!("../docs/differences.md");
    assert!(
        notes.contains(PLACEHOLDER.0),
        "docs/differences.md does not name {PLACEHOLDER:?}"
    );
    for example in found.into_iter().filter(|example| example.object["kind"] == "Canary") {
        let (taken, _) = post(room, &example.object, "?dryRun=All").await;
        let works = !example.object.to_string().contains(PLACEHOLDER.0);
        match taken {
            Ok(_) => assert!(works, "{}", example.from),
            Err(error) if !works => assert!(error.contains(PLACEHOLDER.1), "{error}"),
            Err(error) => panic!("{}: {error}: {}", example.from, example.object),
        }
    }
}

/// With what deploy/kustomize/base installs: kubectl shows the warnings, at apply and at delete, and a sound Canary has none.
fn kubectl(room: &Room<'_>) {
    let run = |verb: &str, object: &Value| {
        let file = room.lab.log("policy-applied").with_extension("json");
        fs::write(&file, object.to_string()).unwrap();
        let output = room
            .lab
            .kubectl(&["-n", &room.name, verb, "-f", &file.to_string_lossy()]);
        assert!(output.status.success(), "{output:?}");
        output
    };
    let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let mut object = examples::base();
    object["metadata"] = json!({"name": "applied"});
    assert_eq!(told(&run("apply", &object)), "");
    assert_eq!(told(&run("delete", &object)), "");
    let mut object = broken();
    object["metadata"] = json!({"name": "applied"});
    let warning = told(&run("apply", &object));
    assert!(
        warning.starts_with("Warning: ") && warning.contains(CANARIES),
        "{warning}"
    );
    assert!(warning.contains(&format!("{BROKEN}: ")), "{warning}");
    let status = r#"{"status": {"phase": "Initialized", "canaryWeight": 0, "failedChecks": 0, "iterations": 0}}"#;
    let words = [
        "patch",
        "canary",
        "applied",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    ];
    let output = room.lab.kubectl(&[&["-n", &room.name][..], &words[..]].concat());
    assert!(output.status.success(), "{output:?}");
    let warning = told(&run("delete", &object));
    assert!(
        warning.contains(DELETIONS) && warning.contains("spec.revertOnDeletion: "),
        "{warning}"
    );
}

/// What an overlay with the component says about the binding.
fn chosen_actions(lab: &Lab) -> Vec<String> {
    let overlay = lab.log("policy-overlay").with_extension("d");
    fs::create_dir_all(&overlay).unwrap();
    // kustomize wants relative paths.
    let up = "../".repeat(overlay.components().count() - 1);
    let policies = format!(
        "{up}{}/deploy/policies",
        env!("CARGO_MANIFEST_DIR").trim_start_matches('/')
    );
    let content = format!("resources: [{policies}]\ncomponents: [{policies}/deny]\n");
    fs::write(overlay.join("kustomization.yaml"), content).unwrap();
    let output = lab.kubectl(&["kustomize", &overlay.to_string_lossy()]);
    assert!(output.status.success(), "{output:?}");
    let rendered: Vec<Value> = serde_saphyr::from_multiple(&String::from_utf8(output.stdout).unwrap()).unwrap();
    let actions = |name: &str| {
        let mut bindings = rendered
            .iter()
            .filter(|it| it["kind"] == "ValidatingAdmissionPolicyBinding");
        let binding = bindings.find(|it| it["metadata"]["name"] == name).unwrap();
        let actions = binding["spec"]["validationActions"].as_array().unwrap().iter();
        actions.map(|action| text(action).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(actions(DELETIONS), ["Warn", "Audit"]);
    actions(CANARIES)
}

/// Something that can never work.
fn broken() -> Value {
    let mut object = examples::base();
    object["spec"]["provider"] = json!("istio");
    object["spec"]["analysis"]["stepWeight"] = json!(0);
    object
}

async fn post(room: &Room<'_>, object: &Value, query: &str) -> (Result<Value, String>, Vec<String>) {
    let mut object = object.clone();
    let name = object["metadata"]["name"].as_str().unwrap_or("judged").to_owned();
    object["metadata"] = json!({ "name": name });
    let version = text(&object["apiVersion"]).to_owned();
    let path = format!("/apis/{version}/namespaces/{}/canaries{query}", room.name);
    room.lab.warned("POST", &path, &object).await
}
