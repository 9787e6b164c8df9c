//! The rows of all providers, and what they make of a Canary.

use super::*;
use crate::{
    json::merge,
    routes::{page, provider, providers},
};
use serde_json::{Value, json};

fn canary(spec: &Value) -> Canary {
    let mut whole = json!({"targetRef": {"kind": "Deployment", "name": "app"}, "service": {"port": 80}});
    merge(&mut whole, spec);
    let metadata = json!({"name": "app", "namespace": "test", "uid": "c0ffee"});
    let object = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": metadata, "spec": whole});
    crds::decode::decode(&object).unwrap()
}

#[test]
fn strategies_by_provider() {
    let all = [Strategy::Canary, Strategy::BlueGreen, Strategy::AbTesting];
    let able = |name| all.map(|strategy| provider(name).unwrap().capabilities.supports(strategy));
    assert_eq!(able("gatewayapi:v1"), [true, true, true]);
    assert_eq!(able("istio"), [true, true, true]);
    assert_eq!(able("knative"), [true, true, false]);
    assert_eq!(able("kubernetes"), [false, true, false]);
}

/// Each part of an analysis is refused by exactly those that cannot do it, and by nobody where the analysis is skipped.
#[test]
fn what_is_missing_follows_from_the_row() {
    type Row = (Value, &'static str, fn(Capabilities) -> bool);
    let rows: [Row; 3] = [
        (
            json!({"match": [{"headers": {"a": {"exact": "b"}}}], "iterations": 1}),
            "analysis.match",
            |can| can.ab,
        ),
        (
            json!({"sessionAffinity": {"cookieName": "c"}}),
            "analysis.sessionAffinity",
            |can| can.affinity,
        ),
        (json!({"mirror": true}), "analysis.mirror", |can| can.mirror),
    ];
    for (analysis, path, able) in rows {
        for provider in providers() {
            let can = provider.capabilities;
            let asked = canary(&json!({"analysis": analysis}));
            let missing: Vec<&str> = can.missing(&asked).into_iter().map(|(path, _)| path).collect();
            let expected: &[&str] = if able(can) { &[] } else { &[path] };
            assert_eq!(missing, expected, "{}", provider.name);
            let skipped = canary(&json!({"skipAnalysis": true, "analysis": analysis}));
            assert_eq!(can.missing(&skipped), [], "{}", provider.name);
        }
    }
}

#[test]
fn what_has_no_effect_follows_from_the_row() {
    type Row = (Value, &'static str, fn(Capabilities) -> bool);
    let service = |more: Value| json!({ "service": more });
    let rows: [Row; 6] = [
        (
            service(json!({"headers": {"request": {"add": {"a": "b"}}}})),
            "service.headers",
            |can| can.headers,
        ),
        (service(json!({"retries": {"attempts": 3}})), "service.retries", |can| {
            can.retries
        }),
        (service(json!({"timeout": "3s"})), "service.timeout", |can| can.timeouts),
        (
            service(json!({"corsPolicy": {"allowOrigin": ["a"]}})),
            "service.corsPolicy",
            |can| can.cors,
        ),
        (service(json!({"delegation": true})), "service.delegation", |can| {
            can.delegation
        }),
        (service(json!({"appProtocol": "TCP"})), "service.appProtocol", |can| {
            can.tcp
        }),
    ];
    for (spec, path, able) in rows {
        for provider in providers() {
            let can = provider.capabilities;
            let expected: &[&str] = if able(can) { &[] } else { &[path] };
            assert_eq!(can.without_effect(&canary(&spec)), expected, "{}", provider.name);
        }
    }
    let mirrored = canary(&json!({"analysis": {"mirror": true, "mirrorWeight": 10}}));
    let whole = Capabilities {
        mirror: true,
        ..Capabilities::NONE
    };
    assert_eq!(whole.without_effect(&mirrored), ["analysis.mirrorWeight"]);
    let part = Capabilities {
        mirror_percentage: true,
        ..whole
    };
    assert_eq!(part.without_effect(&mirrored), [""; 0]);
    assert_eq!(
        Capabilities::NONE.without_effect(&canary(&json!({"service": {"timeout": ""}}))),
        [""; 0]
    );
}

/// The page's tables have a row for each provider, as wide as its head, and every kind that must be installed. What was tried stands below.
#[test]
fn the_page_shows_every_row() {
    let whole = page();
    let (page, _) = whole.split_once("## Tried with real requests").unwrap();
    let head = page
        .lines()
        .find(|line| line.starts_with("| provider | weights"))
        .unwrap();
    for provider in providers() {
        let rows: Vec<&str> = page
            .lines()
            .filter(|line| line.starts_with(&format!("| `{}` |", provider.name)))
            .collect();
        assert_eq!(rows.len(), 2, "{}", provider.name);
        assert_eq!(rows[1].matches(" | ").count(), head.matches(" | ").count());
        let yes = provider.capabilities.columns().iter().filter(|(_, can)| *can).count();
        assert_eq!(rows[1].matches(" yes ").count(), yes, "{}", provider.name);
        for kind in provider.kinds {
            assert!(rows[0].contains(&format!("{} {}", kind.kind, kind.api_version())));
        }
    }
}
