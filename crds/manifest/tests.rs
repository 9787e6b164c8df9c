//! The manifests against the checked-in file and against the peer's CRDs.

use super::*;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn checked_in() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/crds/crds.yaml")
}

/// The peer's CRDs, or nothing when they are not beside this workspace.
fn peer() -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/crds/flagger.yaml");
    let Ok(text) = fs::read_to_string(&path) else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "the peer's CRDs must be there in CI"
        );
        println!("skipped: the peer's CRDs are not there");
        return None;
    };
    Some(serde_saphyr::from_multiple(&without_long_quotes(&text)).unwrap())
}

/// The peer's quoted descriptions go on without indentation, which our YAML reader takes for an error.
fn without_long_quotes(text: &str) -> String {
    let mut within = false;
    let keep = |line: &&str| {
        let starts = line.trim_start().starts_with("description: '");
        let ends = line.ends_with('\'');
        let drop = within || (starts && !ends);
        within = drop && !ends;
        !drop
    };
    text.lines().filter(keep).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_checked_in_file_is_generated() {
    let path = checked_in();
    if std::env::var("AVIARY_REGENERATE").is_ok_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, yaml()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let stale = "run `AVIARY_REGENERATE=1 cargo test -p crds generated`";
    assert!(written == yaml(), "deploy/crds/crds.yaml is stale: {stale}");
}

#[test]
fn the_yaml_reads_back_as_the_manifests() {
    let read: Vec<Value> = serde_saphyr::from_multiple(&yaml()).unwrap();
    assert_eq!(read, manifests());
}

#[test]
fn everything_the_peer_accepts_is_accepted_and_kept() {
    let Some(peer) = peer() else { return };
    for (peer, ours) in peer.iter().zip(manifests()) {
        let name = ours["metadata"]["name"].as_str().unwrap();
        for path in ["/metadata", "/spec/group", "/spec/names", "/spec/scope"] {
            assert_eq!(ours.pointer(path), peer.pointer(path), "{name} {path}");
        }
        let (version, versions) = (
            &peer["spec"]["versions"][0],
            ours["spec"]["versions"].as_array().unwrap(),
        );
        assert_eq!(versions[0]["storage"], true);
        for own in versions {
            for key in ["served", "subresources", "additionalPrinterColumns"] {
                assert_eq!(own[key], version[key], "{name} {key}");
            }
            let (own, other) = (&own["schema"]["openAPIV3Schema"], &version["schema"]["openAPIV3Schema"]);
            let mut differences = Differences::default();
            for part in ["spec", "status"] {
                let (own, other) = (&own["properties"][part], &other["properties"][part]);
                if own.is_null() && other.is_null() {
                    continue;
                }
                differences.of(own, other, part);
            }
            assert_eq!(differences.narrower, Vec::<String>::new(), "{name}");
            let more: &[&str] = match name {
                "canaries.flagger.app" => &[
                    "spec.analysis.promotion",
                    "spec.analysis.skipAnalysis",
                    // The peer refuses the kinds that it goes with.
                    "spec.routeRef.sectionName",
                    "spec.canaryAnalysis",
                    // For kstatus; nothing depends on it where it is pruned (engine's step/tests/status.rs).
                    "status.observedGeneration",
                ],
                _ => &[],
            };
            assert_eq!(differences.more, more, "{name} keeps fields that the peer prunes");
        }
    }
}

#[test]
fn the_defaults_are_the_documented_ones() {
    let canary = &manifests()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut found = Vec::new();
    defaults(canary, "", &mut found);
    let expected = [
        (".spec.analysis.sessionAffinity.maxAge", json!(86400)),
        (".spec.service.gatewayRefs[].group", json!("gateway.networking.k8s.io")),
        (".spec.service.gatewayRefs[].kind", json!("Gateway")),
        (".spec.service.mirror[].backendRef.group", json!("")),
        (".spec.service.mirror[].backendRef.kind", json!("Service")),
    ];
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(path, value)| (path.to_owned(), value))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn old_versions_are_served_and_not_stored() {
    let versions: Vec<Vec<(String, bool, bool)>> = manifests()
        .iter()
        .map(|crd| {
            let versions = crd["spec"]["versions"].as_array().unwrap().iter();
            let shape = |version: &Value| {
                let name = version["name"].as_str().unwrap().to_owned();
                (name, version["served"] == true, version["storage"] == true)
            };
            versions.map(shape).collect()
        })
        .collect();
    let beta = ("v1beta1".to_owned(), true, true);
    let old = |name: &str| (name.to_owned(), true, false);
    assert_eq!(
        versions,
        [
            vec![beta.clone(), old("v1alpha3")],
            vec![beta.clone(), old("v1alpha1")],
            vec![beta],
        ]
    );
}

#[test]
fn descriptions_do_not_cite_the_specs() {
    assert!(!yaml().contains(".md "));
    assert_eq!(
        without_reference("One (of two) (services.md 6)."),
        "One.".replace("One", "One (of two)")
    );
    assert_eq!(without_reference("A Go duration (`1m`)."), "A Go duration (`1m`).");
}

fn defaults(schema: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    if let Some(default) = schema.get("default") {
        found.push((path.to_owned(), default.clone()));
    }
    for (name, child) in schema["properties"].as_object().into_iter().flatten() {
        defaults(child, &format!("{path}.{name}"), found);
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(child) = schema.get(key) {
            defaults(child, &format!("{path}{mark}"), found);
        }
    }
}

/// Where our schema accepts less than the peer's, and where it keeps more.
#[derive(Default)]
struct Differences {
    narrower: Vec<String>,
    more: Vec<String>,
}

impl Differences {
    fn of(&mut self, ours: &Value, peer: &Value, path: &str) {
        self.check(type_fits(ours, peer), path, "type");
        self.check(enum_fits(ours, peer), path, "enum");
        for key in ["default", "pattern", "x-kubernetes-preserve-unknown-fields"] {
            self.check(ours.get(key) == peer.get(key), path, key);
        }
        self.check(
            ours.get("format").is_none_or(|format| peer["format"] == *format),
            path,
            "format",
        );
        self.check(ours.get("nullable").is_none(), path, "nullable");
        for key in ["minimum", "minLength", "minItems"] {
            self.check(bound_fits(ours, peer, key, |own, other| own <= other), path, key);
        }
        for key in ["maximum", "maxLength", "maxItems"] {
            self.check(bound_fits(ours, peer, key, |own, other| own >= other), path, key);
        }
        self.check(rules_fit(ours, peer), path, "rules on keys");
        let validated = |schema: &Value| schema["x-kubernetes-validations"].as_array().map_or(0, Vec::len);
        self.check(validated(ours) <= validated(peer), path, "x-kubernetes-validations");
        self.of_children(ours, peer, path);
    }

    fn of_children(&mut self, ours: &Value, peer: &Value, path: &str) {
        let own: BTreeSet<&String> = ours["properties"].as_object().into_iter().flat_map(Map::keys).collect();
        for (name, other) in peer["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            match ours["properties"].get(name) {
                Some(own) => self.of(own, other, &path),
                None => self.narrower.push(format!("{path}: is pruned")),
            }
        }
        let more = own
            .into_iter()
            .filter(|name| peer["properties"].get(name.as_str()).is_none());
        self.more.extend(more.map(|name| format!("{path}.{name}")));
        for key in ["items", "additionalProperties"] {
            match (ours.get(key), peer.get(key)) {
                (Some(own), Some(other)) => self.of(own, other, &format!("{path}.{key}")),
                (None, None) => {}
                _ => self.narrower.push(format!("{path}: {key}")),
            }
        }
    }

    fn check(&mut self, fits: bool, path: &str, what: &str) {
        if !fits {
            self.narrower.push(format!("{path}: {what}"));
        }
    }
}

fn type_fits(ours: &Value, peer: &Value) -> bool {
    let int_or_string = |schema: &Value| schema["x-kubernetes-int-or-string"] == true;
    if int_or_string(ours) {
        return int_or_string(peer) || peer["type"] == "string" || peer["type"] == "integer";
    }
    // One of the peer's arrays says `required`, which does nothing there, and nothing else is left untyped.
    ours["type"] == peer["type"] || (ours["type"] == "number" && peer["type"] == "integer")
}

fn enum_fits(ours: &Value, peer: &Value) -> bool {
    let Some(own) = ours["enum"].as_array() else {
        return true;
    };
    peer["enum"]
        .as_array()
        .is_some_and(|other| other.iter().all(|text| own.contains(text)))
}

fn bound_fits(ours: &Value, peer: &Value, key: &str, wide: fn(f64, f64) -> bool) -> bool {
    let Some(own) = ours[key].as_f64() else { return true };
    peer[key].as_f64().is_some_and(|other| wide(own, other))
}

/// Whatever set of keys satisfies the peer's `required`, `oneOf`, `anyOf` and `not` satisfies ours.
fn rules_fit(ours: &Value, peer: &Value) -> bool {
    if peer["type"] != "object" && peer.get("oneOf").is_none() {
        return true;
    }
    let mut names = BTreeSet::new();
    named(ours, &mut names);
    named(peer, &mut names);
    let names: Vec<&str> = names.into_iter().collect();
    (0..1_usize << names.len()).all(|bits| {
        let present = names.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
        let present: BTreeSet<&str> = present.map(|(_, name)| *name).collect();
        !satisfied(peer, &present) || satisfied(ours, &present)
    })
}

fn named<'a>(rule: &'a Value, names: &mut BTreeSet<&'a str>) {
    names.extend(
        rule["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str),
    );
    for key in ["oneOf", "anyOf"] {
        rule[key]
            .as_array()
            .into_iter()
            .flatten()
            .for_each(|rule| named(rule, names));
    }
    if let Some(rule) = rule.get("not") {
        named(rule, names);
    }
}

fn satisfied(rule: &Value, present: &BTreeSet<&str>) -> bool {
    let mut required = rule["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let count = |key: &str| {
        rule[key]
            .as_array()
            .map(|rules| rules.iter().filter(|rule| satisfied(rule, present)).count())
    };
    required.all(|name| present.contains(name))
        && count("oneOf").is_none_or(|count| count == 1)
        && count("anyOf").is_none_or(|count| count > 0)
        && rule.get("not").is_none_or(|rule| !satisfied(rule, present))
}

#[test]
fn the_comparison_notices_what_is_narrower() {
    let cases = [
        (json!({"type": "integer"}), json!({"type": "number"}), "x: type"),
        (
            json!({"type": "string", "enum": ["a"]}),
            json!({"type": "string", "enum": ["a", "b"]}),
            "x: enum",
        ),
        (
            json!({"type": "string", "enum": ["a"]}),
            json!({"type": "string"}),
            "x: enum",
        ),
        (
            json!({"type": "string", "default": ""}),
            json!({"type": "string"}),
            "x: default",
        ),
        (
            json!({"type": "number", "maximum": 5}),
            json!({"type": "number", "maximum": 6}),
            "x: maximum",
        ),
        (
            json!({"type": "number", "minimum": 1}),
            json!({"type": "number"}),
            "x: minimum",
        ),
        (
            json!({"type": "object", "required": ["a"]}),
            json!({"type": "object"}),
            "x: rules on keys",
        ),
        (
            json!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            json!({"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}),
            "x: rules on keys",
        ),
        (
            json!({"type": "object"}),
            json!({"type": "object", "properties": {"a": {"type": "string"}}}),
            "x.a: is pruned",
        ),
    ];
    for (ours, peer, expected) in cases {
        let mut differences = Differences::default();
        differences.of(&ours, &peer, "x");
        assert_eq!(differences.narrower, [expected]);
        let mut same = Differences::default();
        same.of(&peer, &peer, "x");
        assert!(same.narrower.is_empty() && same.more.is_empty());
    }
}
