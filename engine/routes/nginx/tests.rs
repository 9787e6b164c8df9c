//! The worked example of routers-ingress.md 1.5, its vectors (10), and what is better here.

use super::*;
use crate::routes::tests::play::*;

fn path(path: &str, service: &str) -> Value {
    json!({"path": path, "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}})
}

fn users() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {
            "name": "cart-web", "namespace": NAMESPACE, "labels": {"team": "checkout"},
            "annotations": {
                "kubernetes.io/ingress.class": "nginx", "nginx.ingress.kubernetes.io/proxy-body-size": "8m",
                "kubectl.kubernetes.io/last-applied-configuration": "{...}",
            },
        },
        "spec": {"rules": [{"host": "cart.example.test", "http": {"paths": [path("/", "cart"), path("/static", "assets")]}}]},
    })
}

fn spec(changes: &Value) -> Value {
    let mut spec = json!({"provider": "nginx", "ingressRef": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "cart-web"}});
    tree::merge(&mut spec, changes);
    spec
}

fn play(changes: &Value) -> Play {
    Play::new(canary(&spec(changes)), &[users()])
}

fn annotations(play: &Play) -> BTreeMap<String, String> {
    let mut all = objects::metadata_map(play.get(kinds::INGRESS, "cart-web-canary"), "annotations");
    all.retain(|key, _| key.starts_with("nginx") && key.contains("canary") || key.starts_with("aviary"));
    all.into_iter()
        .map(|(key, text)| (key.replace("nginx.ingress.kubernetes.io/", ""), text))
        .collect()
}

fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()))
        .collect()
}

/// Only matched paths are copied (RI-17).
#[test]
fn the_worked_example() {
    let mut play = play(&json!({}));
    assert_eq!(play.shift(Split::PRIMARY).unwrap(), ["Ingress cart-web-canary.shop"]);
    let expected = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {
            "name": "cart-web-canary", "namespace": NAMESPACE, "labels": {"team": "checkout"},
            "annotations": {
                "kubernetes.io/ingress.class": "nginx", "nginx.ingress.kubernetes.io/proxy-body-size": "8m",
                "kustomize.toolkit.fluxcd.io/reconcile": "disabled", "helm.toolkit.fluxcd.io/driftDetection": "disabled",
                "nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": "0",
            },
            "ownerReferences": [objects::owner_reference(&play.canary)],
        },
        "spec": {"rules": [{"host": "cart.example.test", "http": {"paths": [path("/", "cart-canary")]}}]},
    });
    let rest = play.get(kinds::INGRESS, "cart-web-canary").clone();
    assert_eq!(rest, expected);
    for weight in [30, 10, 50, 100, 0] {
        play.settle(Split::of(weight));
        assert_eq!(
            annotations(&play),
            texts(&[("canary", "true"), ("canary-weight", &weight.to_string())])
        );
    }
    assert_eq!(*play.get(kinds::INGRESS, "cart-web-canary"), rest);
    assert_eq!(*play.get(kinds::INGRESS, "cart-web"), users());
}

/// One header and one cookie, either of which is enough; at 0 nothing is left of them.
#[test]
fn ab_testing() {
    let cases = [
        (
            json!([{"headers": {"x-beta": {"exact": "on"}}}, {"headers": {"cookie": {"exact": "beta"}}}]),
            vec![
                ("canary-by-header", "x-beta"),
                ("canary-by-header-value", "on"),
                ("canary-by-cookie", "beta"),
            ],
        ),
        (
            json!([{"headers": {"x-beta": {"regex": "^o.$"}}}]),
            vec![("canary-by-header", "x-beta"), ("canary-by-header-pattern", "^o.$")],
        ),
        (
            json!([{"headers": {"x-beta": {"prefix": "a.b"}}}]),
            vec![("canary-by-header", "x-beta"), ("canary-by-header-pattern", "^a\\.b")],
        ),
        (
            json!([{"headers": {"x-beta": {"suffix": "a.b"}}}]),
            vec![("canary-by-header", "x-beta"), ("canary-by-header-pattern", "a\\.b$")],
        ),
        (
            json!([{"headers": {"cookie": {"exact": "beta"}}}]),
            vec![("canary-by-cookie", "beta")],
        ),
    ];
    for (matches, mut expected) in cases {
        let mut play = play(&testing(&matches));
        play.settle(Split::PRIMARY);
        let rest = annotations(&play);
        assert_eq!(rest, texts(&[("canary", "true"), ("canary-weight", "0")]));
        play.settle(Split::CANARY);
        expected.extend([("canary", "true"), ("canary-weight", "0")]);
        assert_eq!(annotations(&play), texts(&expected), "all others go to the primary");
        play.settle(Split::PRIMARY);
        assert_eq!(annotations(&play), rest);
    }
}

/// The controller knows all or none of the chosen: a promotion in steps comes to its end (W-22).
#[test]
fn shares_of_the_chosen_are_noted() {
    let mut play = play(&testing(&json!([{"headers": {"x-beta": {"exact": "on"}}}])));
    for share in [100, 60, 20, 0] {
        play.settle(Split::of(share));
        let all = annotations(&play);
        assert_eq!(all.contains_key("canary-by-header"), share > 0);
        assert_eq!(all["canary-weight"], "0");
        assert_eq!(all.contains_key(SHARE), (1..100).contains(&share));
    }
}

/// RI-15: the chosen go to the canary besides those that the weight sends there.
#[test]
fn a_match_with_steps_of_weights() {
    let mut play = play(&json!({"analysis": {"match": [{"headers": {"x-beta": {"exact": "on"}}}]}}));
    for weight in [30, 60, 0] {
        play.settle(Split::of(weight));
        let all = annotations(&play);
        assert_eq!(all["canary-weight"], weight.to_string());
        assert_eq!(all.contains_key("canary-by-header"), weight > 0);
    }
}

/// RI-14.
#[test]
fn what_nginx_cannot_choose_by() {
    let header = |text: Value| json!({"headers": {"x-beta": text}});
    let cases = [
        (
            json!([{"headers": {"a": {"exact": "1"}, "b": {"exact": "1"}}}]),
            "several headers",
        ),
        (
            json!([header(json!({"exact": "1"})), {"headers": {"x-other": {"exact": "1"}}}]),
            "one header and one cookie",
        ),
        (
            json!([{"headers": {"Cookie": {"regex": "beta"}}}]),
            "by a cookie's name",
        ),
        (
            json!([{"queryParams": {"a": {"exact": "1"}}}]),
            "a header or a cookie only",
        ),
    ];
    for (matches, part) in cases {
        let play = play(&testing(&matches));
        let refused = play.provider().refused(&play.canary).unwrap().to_string();
        assert!(refused.contains(part), "{refused}");
    }
}

/// The flag `-ingress-annotations-prefix`.
#[test]
fn another_prefix() {
    let mut play = play(&json!({}));
    play.flags.annotations_prefix = "custom.ingress.kubernetes.io";
    play.settle(Split::of(50));
    let all = play.get(kinds::INGRESS, "cart-web-canary")["metadata"]["annotations"].clone();
    assert_eq!(all["custom.ingress.kubernetes.io/canary"], "true");
    assert_eq!(all["custom.ingress.kubernetes.io/canary-weight"], "50");
    play.settle(Split::PRIMARY);
}

/// RI-16: labels, annotations and paths of the original reach the copy in the middle of a run, at its weight (RI-5).
#[test]
fn the_original_is_followed() {
    let mut play = play(&json!({}));
    play.settle(Split::of(40));
    let change = json!({
        "metadata": {"labels": {"team": "search"}, "annotations": {
            "nginx.ingress.kubernetes.io/proxy-body-size": null, "nginx.ingress.kubernetes.io/auth-url": "http://a", "nginx.ingress.kubernetes.io/canary-weight": "7",
        }},
        "spec": {"ingressClassName": "nginx", "defaultBackend": {"service": {"name": "cart"}}, "rules": [{"http": {"paths": [path("/new", "cart")]}}]},
    });
    play.patch(kinds::INGRESS, "cart-web", &change);
    play.patch(
        kinds::INGRESS,
        "cart-web-canary",
        &json!({"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight-total": "1000"}}}),
    );
    play.settle(Split::of(40));
    let copy = play.get(kinds::INGRESS, "cart-web-canary");
    assert_eq!(copy["metadata"]["labels"], json!({"team": "search"}));
    let keys: Vec<&String> = copy["metadata"]["annotations"]
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| key.starts_with("nginx"))
        .collect();
    assert_eq!(
        keys,
        [
            "nginx.ingress.kubernetes.io/auth-url",
            "nginx.ingress.kubernetes.io/canary",
            "nginx.ingress.kubernetes.io/canary-weight"
        ]
    );
    assert_eq!(
        copy["spec"],
        json!({"ingressClassName": "nginx", "rules": [{"http": {"paths": [path("/new", "cart-canary")]}}]})
    );
}

/// RI-17.
#[test]
fn two_canaries_on_one_ingress() {
    let mut both = users();
    both["spec"]["rules"][0]["http"]["paths"] = json!([path("/", "cart"), path("/static", "assets")]);
    let mut cart = Play::new(canary(&spec(&json!({}))), &[both]);
    cart.settle(Split::of(20));
    let mut assets = Play::new(named("assets", &spec(&json!({}))), &[]);
    assets.objects = cart.objects.clone();
    assert_eq!(
        assets.shift(Split::of(50)).unwrap(),
        ["Ingress cart-web-assets-canary.shop"]
    );
    cart.objects = assets.objects.clone();
    assert_eq!(cart.shift(Split::of(20)).unwrap(), Vec::<String>::new());
    assert_eq!(assets.observed(), Ok(Split::of(50)));

    // The first one goes: the second stays where it is.
    assets
        .objects
        .remove(&kinds::INGRESS.named(NAMESPACE, "cart-web-canary"));
    assets.settle(Split::of(60));
    assert_eq!(assets.objects.len(), 2);
}

/// A user's own Ingress of that name is nobody's to change; a copy that lost its owner is (RI-24).
#[test]
fn whose_copy_it_is() {
    let mut play = play(&json!({}));
    let mut foreign = users();
    foreign["metadata"]["name"] = json!("cart-web-canary");
    play.put(foreign.clone());
    play.settle(Split::of(20));
    assert_eq!(*play.get(kinds::INGRESS, "cart-web-canary"), foreign);
    assert!(
        play.objects
            .contains_key(&kinds::INGRESS.named(NAMESPACE, "cart-web-cart-canary"))
    );

    let mut orphan = Play::new(canary(&spec(&json!({}))), &[users()]);
    orphan.settle(Split::of(20));
    orphan.patch(
        kinds::INGRESS,
        "cart-web-canary",
        &json!({"metadata": {"ownerReferences": null}}),
    );
    assert_eq!(orphan.observed(), Ok(Split::of(20)));
    orphan.settle(Split::of(30));
    assert_eq!(orphan.objects.len(), 2);
}

/// RI-8, RI-28: nothing to fall over, and the owner learns what is wrong.
#[test]
fn originals_that_lead_nowhere() {
    let cases = [
        (json!({"spec": {"rules": null}}), "no path that leads to Service cart"),
        (json!({"spec": {"rules": [{"host": "a.test"}]}}), "no path"),
        (
            json!({"spec": {"rules": [{"http": {"paths": [path("/", "other")]}}]}}),
            "no path",
        ),
        (
            json!({"spec": null, "metadata": {"annotations": null, "labels": null}}),
            "no path",
        ),
    ];
    for (change, part) in cases {
        let mut play = play(&json!({}));
        play.patch(kinds::INGRESS, "cart-web", &change);
        let refused = play.shift(Split::PRIMARY).unwrap_err();
        assert!(
            matches!(&refused, Refused::Source(why) if why.contains(part)),
            "{refused}"
        );
        play.put(users());
        play.settle(Split::of(10));
    }
    let mut bare = play(&json!({}));
    bare.patch(
        kinds::INGRESS,
        "cart-web",
        &json!({"metadata": {"annotations": null, "labels": null}}),
    );
    bare.settle(Split::of(10));
}

/// A copy whose annotations are lost, or make no sense, has no split; the run's own is put back.
#[test]
fn unreadable_weights() {
    for change in [
        json!({"nginx.ingress.kubernetes.io/canary-weight": "many"}),
        json!({"nginx.ingress.kubernetes.io/canary-weight": "101"}),
    ] {
        let mut play = play(&json!({}));
        play.settle(Split::of(40));
        play.patch(
            kinds::INGRESS,
            "cart-web-canary",
            &json!({"metadata": {"annotations": change}}),
        );
        assert_eq!(
            play.observed(),
            Err(Unready::NoSplit("Ingress cart-web-canary.shop".into()))
        );
        play.settle(Split::of(40));
    }
    let mut play = play(&json!({}));
    play.settle(Split::of(40));
    play.patch(
        kinds::INGRESS,
        "cart-web-canary",
        &json!({"metadata": {"annotations": null}}),
    );
    assert_eq!(play.observed(), Ok(Split::PRIMARY));
    play.settle(Split::of(40));
}
