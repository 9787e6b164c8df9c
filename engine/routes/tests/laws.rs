//! What every provider of the table must keep. A new one needs a line in `fixture` at most.

use proptest::prelude::*;

use super::{super::*, canary};
use crate::{json::merge, seam::Act};

/// Names of providers whose objects are the user's own, or that have none: their laws are in their own tests.
const OF_OTHERS: [&str; 2] = ["knative", "kubernetes"];
/// Names of providers that need an object of the user's beside their own: the same laws, with that object, are in `ingresses`.
const FROM_SOURCES: [&str; 4] = ["nginx", "skipper", "apisix", "gloo"];

/// What `spec` needs for a provider to route.
fn fixture(provider: &Provider) -> Value {
    let mut spec = json!({"provider": provider.name, "service": {"port": 9898, "hosts": ["app.example.com"]}});
    let more = match provider.name {
        gateway if gateway.starts_with("gatewayapi:") => json!({"service": {"gatewayRefs": [{"name": "gw"}]}}),
        "appmesh" => json!({"service": {"meshName": "prod"}}),
        _ => json!({}),
    };
    merge(&mut spec, &more);
    spec
}

/// The providers that make objects.
fn makers() -> Vec<&'static Provider> {
    let all = providers().iter().copied();
    all.filter(|provider| !OF_OTHERS.contains(&provider.name) && !FROM_SOURCES.contains(&provider.name))
        .collect()
}

/// What an analysis may ask for beyond weights.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Nothing,
    Match,
    Mirror,
    Affinity,
}

impl Asked {
    const ALL: [Self; 4] = [Self::Nothing, Self::Match, Self::Mirror, Self::Affinity];

    fn is_possible(self, can: Capabilities) -> bool {
        match self {
            Self::Nothing => true,
            Self::Match => can.ab,
            Self::Mirror => can.mirror,
            Self::Affinity => can.affinity,
        }
    }

    fn analysis(self) -> Value {
        match self {
            Self::Nothing => json!({"stepWeight": 10}),
            Self::Match => json!({"iterations": 2, "match": [{"headers": {"x-who": {"exact": "insider"}}}]}),
            Self::Mirror => json!({"stepWeight": 10, "mirror": true, "mirrorWeight": 20}),
            Self::Affinity => {
                json!({"stepWeight": 10, "sessionAffinity": {"cookieName": "c", "primaryCookieName": "p"}})
            }
        }
    }
}

fn asking(provider: &Provider, asked: Asked) -> Canary {
    let mut spec = fixture(provider);
    spec["analysis"] = asked.analysis();
    canary(&spec, &json!({}))
}

fn context<'a>(provider: &Provider, canary: &'a Canary, objects: &'a [Option<Value>]) -> Context<'a> {
    let mut current: Vec<Option<&Value>> = objects.iter().map(Option::as_ref).collect();
    current.resize(provider.objects(canary).len(), None);
    Context {
        canary,
        current,
        selector_key: Some("app"),
        selector_value: Some("app"),
        entropy: 7,
        flags: Flags::default(),
    }
}

/// The objects after the writes, as an API server would have them.
fn applied(provider: &Provider, canary: &Canary, objects: &[Option<Value>], writes: Vec<Write>) -> Vec<Option<Value>> {
    let refs = provider.objects(canary);
    let mut after = objects.to_vec();
    after.resize(refs.len(), None);
    for write in writes {
        let place = refs.iter().position(|at| *at == write.object).unwrap();
        match write.act {
            Act::Create(object) => after[place] = Some(object),
            Act::Merge { patch, .. } => merge(after[place].get_or_insert_default(), &patch),
            Act::Delete { .. } => after[place] = None,
        }
    }
    after
}

fn brought(provider: &Provider, canary: &Canary, objects: &[Option<Value>], split: Split) -> Vec<Option<Value>> {
    let writes = provider.writes(&context(provider, canary, objects), split).unwrap();
    applied(provider, canary, objects, writes)
}

fn rests(provider: &Provider, canary: &Canary, objects: &[Option<Value>], split: Split) {
    let context = context(provider, canary, objects);
    assert_eq!(
        provider.writes(&context, split),
        Ok(Vec::new()),
        "{}: a second pass writes",
        provider.name
    );
    assert_eq!(provider.observed(&context), Ok(split), "{}", provider.name);
}

fn at(weight: i64, asked: Asked) -> Split {
    match (weight, asked) {
        (0, Asked::Mirror) => Split::PRIMARY.mirrored(),
        _ => Split::of(weight),
    }
}

/// A field of somebody's own at every place below that holds a list of rules.
fn add_foreign(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.insert("unheardOf".to_owned(), json!([1]));
            for list in ["http", "routes", "rules"] {
                let rules = fields.get_mut(list).and_then(Value::as_array_mut);
                rules.into_iter().flatten().for_each(add_foreign);
            }
        }
        other => panic!("an object was expected, not {other}"),
    }
}

/// The same objects whatever the shares are.
fn without_weights(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("weight");
            fields.values_mut().for_each(without_weights);
        }
        Value::Array(list) => list.iter_mut().for_each(without_weights),
        _ => {}
    }
}

prop_compose! {
    fn scene()(which in any::<prop::sample::Index>(), before in 0..4_usize, after in 0..4_usize, from in 0..=100_i64, to in 0..=100_i64) -> (&'static Provider, Asked, Asked, i64, i64) {
        let makers = makers();
        let provider = *which.get(&makers);
        let possible = |asked: usize| {
            let asked = Asked::ALL[asked];
            if asked.is_possible(provider.capabilities) { asked } else { Asked::Nothing }
        };
        (provider, possible(before), possible(after), from, to)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Made from nothing: what is written is what is read back, and a second pass finds nothing to do.
    #[test]
    fn settles_and_reads_back((provider, asked, _, weight, _) in scene()) {
        let canary = asking(provider, asked);
        let split = at(weight, asked);
        let made = brought(provider, &canary, &[], split);
        prop_assert!(made.iter().all(Option::is_some), "{}", provider.name);
        rests(provider, &canary, &made, split);
    }

    /// From any of its routes to any other one in one pass. What others have added stays.
    #[test]
    fn one_pass_from_anywhere((provider, before, after, from, to) in scene()) {
        let mut objects = brought(provider, &asking(provider, before), &[], at(from, before));
        for object in objects.iter_mut().flatten() {
            tree::set(object, &["metadata", "annotations", "theirs"], json!("1"));
            tree::set(object, &["spec", "unheardOf"], json!({"a": [1]}));
        }
        let canary = asking(provider, after);
        let split = at(to, after);
        let now = brought(provider, &canary, &objects, split);
        rests(provider, &canary, &now, split);
        for object in now.iter().flatten() {
            prop_assert_eq!(&object["metadata"]["annotations"]["theirs"], "1");
            prop_assert_eq!(&object["spec"]["unheardOf"], &json!({"a": [1]}));
        }
    }

    /// Between two steps of a run only the weights change, on any object that others have added to.
    #[test]
    fn only_weights_change((provider, _, _, from, to) in scene()) {
        let canary = asking(provider, Asked::Nothing);
        let mut objects = brought(provider, &canary, &[], Split::of(from.clamp(1, 99)));
        for object in objects.iter_mut().flatten() {
            add_foreign(&mut object["spec"]);
        }
        let after = brought(provider, &canary, &objects, Split::of(to.clamp(1, 99)));
        let bare = |objects: &[Option<Value>]| {
            let mut bare = json!(objects);
            without_weights(&mut bare);
            bare
        };
        prop_assert_eq!(bare(&after), bare(&objects), "{}", provider.name);
    }

    /// After a run nothing is left of a match, a mirror or a cookie.
    #[test]
    fn no_trace_after_a_run((provider, before, _, from, _) in scene()) {
        let plain = asking(provider, Asked::Nothing);
        let objects = brought(provider, &asking(provider, before), &[], at(from, before));
        let after = brought(provider, &plain, &objects, Split::PRIMARY);
        prop_assert_eq!(after, brought(provider, &plain, &[], Split::PRIMARY), "{}", provider.name);
    }
}

/// RM-21: an object that was there before the Canary gets back what it said.
#[test]
fn what_was_adopted_comes_back() {
    for provider in makers().into_iter().filter(|provider| provider.capabilities.revert) {
        let canary = asking(provider, Asked::Nothing);
        let theirs = |at: ObjectRef| {
            let metadata = json!({"name": at.name, "namespace": at.namespace, "uid": "1", "resourceVersion": "1"});
            Some(
                json!({"apiVersion": at.kind.api_version(), "kind": at.kind.kind, "metadata": metadata, "spec": {"mine": {"a": [1, 2]}}}),
            )
        };
        let before: Vec<Option<Value>> = provider.objects(&canary).into_iter().map(theirs).collect();
        let mut objects = before.clone();
        for weight in [0, 40, 100, 0] {
            objects = brought(provider, &canary, &objects, Split::of(weight));
            rests(provider, &canary, &objects, Split::of(weight));
        }
        let reverts = provider.reverts(&context(provider, &canary, &objects));
        assert!(!reverts.is_empty(), "{}", provider.name);
        let touched: Vec<ObjectRef> = reverts.iter().map(|write| write.object.clone()).collect();
        let after = applied(provider, &canary, &objects, reverts);
        for ((at, before), after) in provider.objects(&canary).into_iter().zip(before).zip(after) {
            if touched.contains(&at) {
                assert_eq!(after.unwrap()["spec"], before.unwrap()["spec"], "{}", provider.name);
            }
        }
        // What the Canary made itself is collected with it, or, where nothing can own it, deleted.
        let own = brought(provider, &canary, &[], Split::PRIMARY);
        for write in provider.reverts(&context(provider, &canary, &own)) {
            assert!(
                matches!(write.act, Act::Delete { .. }) && !write.object.kind.is_namespaced(),
                "{}",
                provider.name
            );
        }
    }
}

/// Objects that say nothing, or nonsense, are no split and no panic; the next write mends them.
#[test]
fn nonsense_is_mended() {
    let shapes = [
        json!(null),
        json!({}),
        json!([]),
        json!("x"),
        json!({"spec": null}),
        json!({"spec": {"routes": [], "backends": [null], "conf": {"split": [{}]}, "rules": [{}], "http": [7], "listeners": [3]}}),
    ];
    for provider in makers() {
        let canary = asking(provider, Asked::Nothing);
        for shape in &shapes {
            let mut odd = json!({"metadata": {"name": "app", "resourceVersion": "1"}});
            merge(&mut odd, shape);
            let objects: Vec<Option<Value>> = provider.objects(&canary).iter().map(|_| Some(odd.clone())).collect();
            assert!(
                provider.observed(&context(provider, &canary, &objects)).is_err(),
                "{}: {odd}",
                provider.name
            );
            if odd.is_object() {
                let now = brought(provider, &canary, &objects, Split::of(40));
                rests(provider, &canary, &now, Split::of(40));
            }
        }
    }
}
