//! What follows from the table of traffic providers: docs/providers.md, and what the controller may do in a cluster.

use engine::routes;
use serde_json::Value;
use std::{fs, path::PathBuf};

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_page_of_providers_is_generated() {
    let path = file("docs/providers.md");
    if std::env::var("AVIARY_REGENERATE").is_ok_and(|value| value == "1") {
        fs::write(&path, routes::page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let stale = "run `AVIARY_REGENERATE=1 cargo test -p aviary --test routes generated`";
    assert!(written == routes::page(), "docs/providers.md is stale: {stale}");
}

/// Each kind of each provider is watched and written, and no more.
#[test]
fn rbac_has_a_rule_for_every_kind_of_a_route() {
    let text = fs::read_to_string(file("deploy/kustomize/base/rbac.yaml")).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let rules = documents[0]["rules"].as_array().unwrap();
    let holds = |list: &Value, word: &str| list.as_array().unwrap().iter().any(|entry| entry == word);
    for provider in routes::providers() {
        for kind in provider.kinds {
            let mut of_kind = rules
                .iter()
                .filter(|rule| holds(&rule["apiGroups"], kind.group) && holds(&rule["resources"], kind.plural));
            let rule = of_kind
                .next()
                .unwrap_or_else(|| panic!("{}: no rule for {}", provider.name, kind.plural));
            assert!(
                of_kind.next().is_none(),
                "{}: two rules for {}",
                provider.name,
                kind.plural
            );
            for verb in ["list", "watch"] {
                assert!(holds(&rule["verbs"], verb), "{}: {verb} {}", provider.name, kind.plural);
            }
            assert!(
                !holds(&rule["verbs"], "*") && !holds(&rule["verbs"], "update"),
                "{}",
                kind.plural
            );
        }
    }
}
