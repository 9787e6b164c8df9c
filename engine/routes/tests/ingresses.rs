//! What holds for every ingress provider, over Canaries and weights of many kinds.

use super::play::*;
use crate::{
    json as tree,
    objects::{self, kinds},
    routes::{Refused, Split, Unready, provider},
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A provider with the user's objects that it needs.
fn lab(provider: &str, changes: &Value) -> Play {
    let mut spec = json!({
        "provider": provider,
        "ingressRef": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "web"},
        "routeRef": {"apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "name": "web"},
        "upstreamRef": {"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "name": "tuning"},
    });
    tree::merge(&mut spec, changes);
    Play::new(canary(&spec), &sources())
}

fn sources() -> Vec<Value> {
    let service = |name: &str, app: &str| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"selector": {"app": app}}});
    vec![
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web", "namespace": NAMESPACE},
            "spec": {"rules": [{"host": "a.test", "http": {"paths": [path("/", "cart"), path("/static", "assets")]}}, {"host": "b.test"}]},
        }),
        json!({
            "apiVersion": "apisix.apache.org/v2", "kind": "ApisixRoute", "metadata": {"name": "web", "namespace": NAMESPACE},
            "spec": {"http": [{"name": "main", "match": {"paths": ["/*"]}, "backends": [{"serviceName": "cart", "servicePort": 80}]}]},
        }),
        json!({
            "apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"name": "tuning", "namespace": NAMESPACE},
            "spec": {"static": {"hosts": []}, "connectionConfig": {"connectTimeout": "3s"}},
        }),
        service("cart-primary", "cart-primary"),
        service("cart-canary", "cart"),
    ]
}

fn path(path: &str, service: &str) -> Value {
    json!({"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}})
}

const PROVIDERS: [&str; 6] = ["nginx", "traefik", "contour", "skipper", "apisix", "gloo"];

fn any_provider() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&PROVIDERS[..])
}

/// A test that every provider with A/B can say, or none.
fn tested() -> impl Strategy<Value = Option<Value>> {
    let text = prop_oneof![
        "[a-z]{1,4}".prop_map(|text| json!({"exact": text})),
        "[a-z.]{1,4}".prop_map(|text| json!({"prefix": text})),
        "[a-z.]{1,4}".prop_map(|text| json!({"suffix": text})),
        "[a-z]{1,3}\\.\\*".prop_map(|text| json!({"regex": text})),
    ];
    prop::option::of(text.prop_map(|text| json!([{"headers": {"x-who": text}}])))
}

fn spec(tested: Option<Value>, timeout: Option<&str>) -> Value {
    let mut changes = tested.map_or_else(|| json!({}), |tested| testing(&tested));
    tree::merge(
        &mut changes,
        &json!({"service": {"timeout": timeout, "apex": {"labels": {"tier": "web"}, "annotations": {"note": "hi"}}}}),
    );
    changes
}

/// All that a provider says besides the primary's own: what must not be left after a run.
fn traces(play: &Play) -> Vec<String> {
    let mut written = Vec::new();
    for at in play.provider().objects(&play.canary) {
        if let Some(object) = play
            .objects
            .get(&at)
            .filter(|object| objects::is_controlled_by(object, &play.canary))
        {
            written.push(object.to_string());
        }
    }
    let marks = ["x-who", "by-header", "shadowing", "\"mirror\"", "Set-Cookie", "aviary/"];
    let found = marks
        .into_iter()
        .filter(|mark| written.iter().any(|text| text.contains(mark)));
    found.map(str::to_owned).collect()
}

/// All objects without what says the shares.
fn bare(play: &Play) -> Vec<Value> {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for share in [
                    "weight",
                    "nginx.ingress.kubernetes.io/canary-weight",
                    "zalando.org/backend-weights",
                ] {
                    fields.remove(share);
                }
                fields.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut all: Vec<Value> = play.objects.values().cloned().collect();
    all.iter_mut().for_each(strip);
    all
}

/// Take away the part of the object that this number chooses, or make another thing of it.
fn damaged(value: &mut Value, mut choice: usize) {
    let mut at = value;
    loop {
        let count = match at {
            Value::Object(fields) => fields.len(),
            Value::Array(list) => list.len(),
            _ => 0,
        };
        let turn = choice % (count + 2);
        choice /= count + 2;
        if turn >= count {
            *at = if turn == count { Value::Null } else { json!(["?"]) };
            return;
        }
        at = match at {
            Value::Object(fields) => fields.values_mut().nth(turn).unwrap(),
            Value::Array(list) => &mut list[turn],
            _ => return,
        };
    }
}

proptest! {
    /// What is written is what is read back, and a second pass finds nothing to do; the user's own objects stay as they are.
    #[test]
    fn settles_and_reads_back(name in any_provider(), test in tested(), weight in 0_i64..=100, mirrored in any::<bool>(), timeout in prop::option::of(Just("3s"))) {
        let mut play = lab(name, &spec(test.filter(|_| name != "traefik"), timeout));
        let mirrored = mirrored && weight == 0 && play.provider().capabilities.mirror;
        let before = play.objects.clone();
        play.settle(Split { mirrored, ..Split::of(weight) });
        prop_assert_eq!(play.accepted(), Ok(()));
        play.objects.retain(|at, _| before.contains_key(at));
        prop_assert_eq!(play.differs(&before), None);
    }

    /// From any of our routes to any other split and Canary in one pass; foreign labels, annotations and fields stay. At 100/0 nothing is
    /// left of the test and of the mirror.
    #[test]
    fn one_pass_from_anywhere(name in any_provider(), before in tested(), after in tested(), from in 0_i64..=100, to in 0_i64..=100) {
        let mut play = lab(name, &spec(before.filter(|_| name != "traefik"), Some("1s")));
        let mirrored = from == 0 && play.provider().capabilities.mirror;
        play.settle(Split { mirrored, ..Split::of(from) });
        let foreign = json!({"metadata": {"annotations": {"foreign": "kept"}, "labels": {}}, "unheardOf": {"a": [1]}});
        let ours: Vec<_> = play.objects.iter().filter(|(_, object)| objects::is_controlled_by(object, &play.canary)).map(|(at, _)| at.clone()).collect();
        for at in &ours {
            play.patch(at.kind, &at.name, &foreign);
        }
        play.canary = lab(name, &spec(after.filter(|_| name != "traefik"), None)).canary;
        play.settle(Split::of(to));
        for at in &ours {
            let object = play.get(at.kind, &at.name);
            prop_assert_eq!(&object["metadata"]["annotations"]["foreign"], "kept");
            prop_assert_eq!(&object["unheardOf"], &json!({"a": [1]}));
        }
        if to == 0 {
            prop_assert_eq!(traces(&play), Vec::<String>::new());
        }
    }

    /// Between two steps of a run only the weights change.
    #[test]
    fn only_weights_change(name in any_provider(), from in 1_i64..=99, to in 1_i64..=99) {
        let mut play = lab(name, &json!({}));
        play.settle(Split::of(from));
        let before = bare(&play);
        play.settle(Split::of(to));
        prop_assert_eq!(bare(&play), before);
    }

    /// Objects of any shape: no provider falls over, and none says that the route shares what it does not say itself (RI-6, RI-8).
    #[test]
    fn damage_is_survived(name in any_provider(), test in tested(), which in 0_usize..8, choice in any::<u32>(), from in 0_i64..=100, to in 0_i64..=100) {
        let mut play = lab(name, &spec(test.filter(|_| name != "traefik"), None));
        play.settle(Split::of(from));
        let all: Vec<_> = play.objects.keys().cloned().collect();
        let at = all[which % all.len()].clone();
        let object = play.objects.get_mut(&at).unwrap();
        for part in ["spec", "metadata"] {
            if choice % 2 == u32::from(part == "spec") {
                damaged(&mut object[part], usize::try_from(choice / 2).unwrap());
            }
        }
        tree::merge(object, &json!({"metadata": {"name": at.name, "namespace": at.namespace}}));
        if let Ok(split) = play.observed() {
            prop_assert_eq!(split.primary + split.canary, 100);
        }
        drop(play.accepted());
        if play.shift(Split::of(to)).is_ok() {
            prop_assert_eq!(play.observed(), Ok(Split::of(to)), "{}", play.objects[&at]);
            prop_assert_eq!(play.shift(Split::of(to)), Ok(Vec::new()));
        }
    }
}

/// A rollback needs nothing but our own objects; the run learns that something is missing (RI-28).
#[test]
fn a_lost_source_holds_the_run_and_not_the_rollback() {
    for (name, kind, source) in [
        ("nginx", kinds::INGRESS, "web"),
        ("skipper", kinds::INGRESS, "web"),
        ("apisix", kinds::APISIX_ROUTE, "web"),
        ("gloo", kinds::UPSTREAM, "tuning"),
    ] {
        let mut play = lab(name, &json!({}));
        let at = kind.named(NAMESPACE, source);
        let object = play.objects.remove(&at).unwrap();
        let refused = play.shift(Split::PRIMARY).unwrap_err();
        assert!(
            matches!(&refused, Refused::Source(why) if why.contains(source)),
            "{name}: {refused}"
        );
        assert_eq!(
            play.provider().refused(&play.canary),
            None,
            "the Canary itself is right"
        );
        play.put(object);
        play.settle(Split::of(40));

        play.objects.remove(&at);
        assert!(matches!(play.accepted(), Err(Unready::Source(_))), "{name}");
        assert_eq!(play.observed(), Ok(Split::of(40)), "{name}");
        play.settle(Split::PRIMARY);
    }
}

/// What a provider cannot say is refused before anything is written, whatever there is in the cluster (RI-3, RI-4, RI-14).
#[test]
fn what_cannot_be_said_is_refused() {
    let labels = json!([{"sourceLabels": {"app": "x"}}]);
    let nothing = json!([{"headers": {"x-who": {}}}]);
    let empty = json!([{}]);
    for name in PROVIDERS.into_iter().filter(|name| *name != "traefik") {
        for given in [&labels, &nothing, &empty] {
            let play = lab(name, &testing(given));
            let refused = play
                .provider()
                .refused(&play.canary)
                .unwrap_or_else(|| panic!("{name}: {given}"));
            assert!(
                refused.to_string().starts_with("spec.analysis.match[0]"),
                "{name}: {refused}"
            );
        }
        let skipped = lab(name, &{
            let mut spec = testing(&labels);
            spec["skipAnalysis"] = json!(true);
            spec
        });
        assert_eq!(
            skipped.provider().refused(&skipped.canary),
            None,
            "{name}: an emergency release goes on"
        );
    }
    let cannot = |name: &str| {
        let can = provider(name).unwrap().capabilities;
        (can.ab, can.mirror, can.affinity)
    };
    assert_eq!(
        PROVIDERS.map(cannot),
        [
            (true, false, false),
            (false, false, false),
            (true, true, false),
            (true, false, false),
            (true, false, false),
            (true, true, false),
        ]
    );
}
