//! The objects of the recorded scenarios, and the states that the recordings show.

use serde_json::{Value, json};
use std::{fs, path::Path};

use super::{Example, files, is_ours, merge};

/// All objects of our kinds in a folder of scenarios: as created, as edited later, and with each status of the recording in `golden`.
pub(crate) fn scenarios(directory: &Path, golden: &Path) -> Vec<Example> {
    let base = parse(&directory.join("_base.json"));
    let mut found = Vec::new();
    for path in files(directory, ".json") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('_') {
            continue;
        }
        let mut scenario = base.clone();
        merge(&mut scenario, &parse(&path));
        let mut add = |what: &str, object: Value| {
            let from = format!("{name}, {what}");
            found.push(Example { from, object });
        };
        for object in scenario["objects"].as_array().into_iter().flatten() {
            if is_ours(object) {
                add("objects", object.clone());
            }
        }
        let canary = &scenario["canary"];
        add("canary", canary.clone());
        for edit in edits(&scenario) {
            let mut edited = canary.clone();
            merge(&mut edited, &edit);
            add("edited", edited);
        }
        for status in states(&golden.join(&name)) {
            let mut with_status = canary.clone();
            with_status["status"] = status;
            add("recorded", with_status);
        }
    }
    found
}

fn parse(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Patches of the Canary while the scenario runs.
fn edits(scenario: &Value) -> Vec<Value> {
    let steps = scenario["steps"].as_array().into_iter().flatten();
    let changes = steps.flat_map(|step| match &step["do"] {
        Value::Array(changes) => changes.clone(),
        Value::Null => Vec::new(),
        change => vec![change.clone()],
    });
    let of_canary = changes.filter(|change| change["object"].as_str().is_some_and(|at| at.starts_with("Canary/")));
    of_canary
        .map(|change| change["body"].clone())
        .filter(Value::is_object)
        .collect()
}

/// The states of the Canary's status. The recording writes a condition as `Promoted=True Succeeded`.
fn states(golden: &Path) -> Vec<Value> {
    let recorded = parse(golden);
    let states = recorded["objects"]["Canary/app"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let objects = states.into_iter().filter(Value::is_object); // the last one may be the word `deleted`
    let states = objects.map(|mut state| state["status"].take());
    let unfold = |mut status: Value| {
        for condition in status["conditions"].as_array_mut().into_iter().flatten() {
            let (kind, rest) = condition.as_str().unwrap().split_once('=').unwrap();
            let (is, reason) = rest.split_once(' ').unwrap_or_else(|| panic!("{condition}"));
            *condition = json!({"type": kind, "status": is, "reason": reason});
        }
        status
    };
    states.filter(Value::is_object).map(unfold).collect()
}
