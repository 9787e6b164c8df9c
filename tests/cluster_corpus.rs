//! Whatever Flagger's CRDs accept, ours accept, and it reads back with the same content: on the real API server, for everything in the
//! documents and the recorded scenarios, and for thousands of objects that differ from them in one place.
//!
//! Both are served at the same time: the peer's CRDs get a group of their own, which their schemas do not mention. All requests are
//! dry runs.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture and the corpus are for several tests, this one needs a part of them"
)]

mod cluster;
mod corpus;
#[path = "../crds/tests/examples/mod.rs"]
mod examples;

use cluster::lab::{Lab, Room, text};
use corpus::{
    peer::{self, Contract},
    probes,
};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Requests at the same time: enough to keep two cores of API server busy, a twentieth of what it admits.
const AT_ONCE: usize = 40;
/// What reads back otherwise on purpose: a path, and words of the line of docs/differences.md that says so.
const KEPT: [(&str, &str); 3] = [
    ("spec.canaryAnalysis", "`canaryAnalysis`, "),
    ("spec.analysis.promotion", "`analysis.promotion` and "),
    ("spec.analysis.skipAnalysis", "`analysis.skipAnalysis` are pruned"),
];

/// What became of one object with both.
#[derive(Default)]
struct Tally {
    objects: usize,
    accepted: usize,
    more: usize,
    kept: BTreeMap<String, usize>,
    broken: Vec<String>,
}

#[tokio::test]
async fn whatever_the_peer_accepts() {
    let Some(seeds) = examples::shared("seeds") else { return };
    let Some(traces) = examples::shared("data/traces") else {
        return;
    };
    let Some(definitions) = examples::shared("data/crds/flagger.yaml") else {
        return;
    };
    let Some(lab) = Lab::open().await else { return };
    let mut found = examples::documents(&seeds);
    found.extend(examples::written_out());
    for (scenarios, golden) in [("scenarios", "golden"), ("scenarios-routes", "golden-routes")] {
        found.extend(examples::scenarios(&traces.join(scenarios), &traces.join(golden)));
    }
    let probes = probes::of(&found);
    peer::install(&lab, &definitions).await;
    let room = lab.room("corpus").await;
    let contracts = [Contract::PEER, Contract::OURS];
    for contract in contracts {
        contract.prepare(&room).await;
    }
    let answers = stream::iter(&probes)
        .map(async |probe| {
            let [peer, ours] = contracts;
            (probe, peer.answer(&room, probe).await, ours.answer(&room, probe).await)
        })
        .buffer_unordered(AT_ONCE);
    let tally = answers
        .fold(Tally::default(), async |tally, (probe, peer, ours)| {
            tally.with(&probe.from, peer, ours)
        })
        .await;
    old_versions(&room, &found).await;
    peer::remove(&lab).await;
    println!("{} examples; {tally}", found.len());
    tally.check();
    lab.close().await;
}

/// The old versions of the documents are taken too, with the content that today's version would have.
async fn old_versions(room: &Room<'_>, found: &[examples::Example]) {
    let mut seen = 0;
    for example in found {
        let version = text(&example.object["apiVersion"]);
        let Some(version) = version.strip_prefix("flagger.app/").filter(|it| *it != "v1beta1") else {
            continue;
        };
        let probe = probes::Probe::new(example);
        let (old, new) = (
            Contract::OURS.of(version).answer(room, &probe).await,
            Contract::OURS.answer(room, &probe).await,
        );
        assert_eq!(old, new, "{}", example.from);
        assert!(new.is_ok(), "{}: {new:?}", example.from);
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} examples have an old version");
}

// === impl Tally ===

impl Tally {
    fn with(mut self, from: &str, peer: Result<Value, String>, ours: Result<Value, String>) -> Self {
        self.objects += 1;
        let (peer, ours) = match (peer, ours) {
            (Ok(peer), Ok(ours)) => (peer, ours),
            (Ok(peer), Err(error)) => {
                self.accepted += 1;
                self.broken.push(format!("{from}: refused: {error}: {peer}"));
                return self;
            }
            (Err(_), ours) => {
                self.more += usize::from(ours.is_ok());
                return self;
            }
        };
        self.accepted += 1;
        let mut paths = Vec::new();
        differing(&peer, &ours, "", &mut paths);
        for path in paths {
            if KEPT.iter().any(|(known, _)| *known == path) {
                *self.kept.entry(path).or_default() += 1;
            } else {
                self.broken.push(format!("{from}: {path}: {peer} and {ours}"));
            }
        }
        self
    }

    fn check(&self) {
        assert!(
            self.broken.is_empty(),
            "{:#?}",
            &self.broken[..self.broken.len().min(20)]
        );
        let notes = include_str!("../docs/differences.md");
        for (path, words) in KEPT {
            assert!(self.kept.contains_key(path), "{path} is not kept any more");
            assert!(notes.contains(words), "docs/differences.md does not say {words}");
        }
        assert!(self.objects >= 3000 && self.accepted >= 1800, "{self}");
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            objects,
            accepted,
            more,
            kept,
            broken,
        } = self;
        let broken = broken.len();
        write!(
            f,
            "{objects} objects, the peer accepts {accepted}, ours {more} more; kept {kept:?}; broken {broken}"
        )
    }
}

/// Paths at which the two differ.
fn differing(peer: &Value, ours: &Value, path: &str, paths: &mut Vec<String>) {
    let (Value::Object(left), Value::Object(right)) = (peer, ours) else {
        if peer != ours {
            paths.push(path.to_owned());
        }
        return;
    };
    let null = json!(null);
    let keys = left.keys().chain(right.keys().filter(|key| !left.contains_key(*key)));
    for key in keys {
        let path = format!("{path}.{key}");
        let (left, right) = (left.get(key).unwrap_or(&null), right.get(key).unwrap_or(&null));
        differing(left, right, path.trim_start_matches('.'), paths);
    }
}
