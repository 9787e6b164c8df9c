//! The worked example of routers-ingress.md 2.5, its vectors (10), and what is better here.

use super::*;
use crate::routes::tests::play::*;

fn path(service: &str) -> Value {
    json!({"path": "/", "pathType": "Prefix", "backend": {"service": {"name": service, "port": {"number": 80}}}})
}

fn users(annotations: &Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "cart-web", "namespace": NAMESPACE, "annotations": annotations},
        "spec": {"rules": [{"host": "cart.example.test", "http": {"paths": [path("cart")]}}]},
    })
}

fn play(changes: &Value, annotations: &Value) -> Play {
    let mut spec = json!({"provider": "skipper", "ingressRef": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "cart-web"}});
    tree::merge(&mut spec, changes);
    Play::new(canary(&spec), &[users(annotations)])
}

fn said(play: &Play) -> (String, String) {
    let all = objects::metadata_map(play.get(kinds::INGRESS, "cart-web-canary"), "annotations");
    (all[PREDICATE].clone(), all[WEIGHTS].clone())
}

#[test]
fn the_worked_example() {
    let given = json!({"kubernetes.io/ingress.class": "skipper", PREDICATE: "Method(\"GET\")"});
    let mut play = play(&json!({}), &given);
    for weight in [0, 10, 20, 30, 85, 100, 0] {
        play.settle(Split::of(weight));
        let predicate = if weight == 0 { "False()" } else { "Weight(100)" };
        let weights = format!("{{\"cart-canary\":{weight},\"cart-primary\":{}}}", 100 - weight);
        assert_eq!(said(&play), (format!("{predicate} && Method(\"GET\")"), weights));
    }
    let copy = play.get(kinds::INGRESS, "cart-web-canary");
    assert_eq!(
        copy["spec"]["rules"],
        json!([{"host": "cart.example.test", "http": {"paths": [path("cart-primary"), path("cart-canary")]}}])
    );
    assert_eq!(
        copy["metadata"]["annotations"]["kubernetes.io/ingress.class"],
        "skipper"
    );
    assert_eq!(
        copy["metadata"]["ownerReferences"],
        json!([objects::owner_reference(&play.canary)])
    );
    assert_eq!(*play.get(kinds::INGRESS, "cart-web"), users(&given));
}

/// RI-7: the peer crashes.
#[test]
fn an_ingress_without_annotations() {
    let mut play = play(&json!({}), &Value::Null);
    play.settle(Split::of(30));
    assert_eq!(said(&play).0, "Weight(100)");
}

/// RI-9: the peer compares pointers.
#[test]
fn an_ingress_that_leads_elsewhere() {
    let mut play = play(&json!({}), &json!({}));
    play.patch(
        kinds::INGRESS,
        "cart-web",
        &json!({"spec": {"rules": [{"http": {"paths": [path("typo")]}}]}}),
    );
    let refused = play.shift(Split::PRIMARY).unwrap_err();
    assert_eq!(
        refused,
        Refused::Source("Ingress cart-web.shop has no path that leads to Service cart; add one".into())
    );
}

/// The chosen requests alone reach the copy: all others take the original to the primary (RI-4).
#[test]
fn ab_testing() {
    let matches = json!([{
        "headers": {"x-beta": {"exact": "o\"n"}, "cookie": {"regex": "^(.*?; )?beta=\\d+"}, "x-a": {"prefix": "a."}, "x-b": {"suffix": "b"}},
        "queryParams": {"v": {"exact": "2.0"}},
    }]);
    let mut play = play(&testing(&matches), &json!({PREDICATE: "Method(\"GET\")"}));
    play.settle(Split::CANARY);
    let expected = [
        "Weight(100)",
        r#"HeaderRegexp("cookie", "^(.*?; )?beta=\\d+")"#,
        r#"HeaderRegexp("x-a", "^a\\.")"#,
        r#"HeaderRegexp("x-b", "b$")"#,
        r#"Header("x-beta", "o\"n")"#,
        r#"QueryParam("v", "^2\\.0$")"#,
        r#"Method("GET")"#,
    ];
    assert_eq!(said(&play).0, expected.join(" && "));
    play.settle(Split::of(40));
    play.settle(Split::PRIMARY);
    assert_eq!(said(&play).0, "False() && Method(\"GET\")");

    let several = Play::new(
        canary(&json!({
            "provider": "skipper", "ingressRef": {"kind": "Ingress", "name": "cart-web"},
            "analysis": {"iterations": 1, "match": [{"headers": {"a": {"exact": "1"}}}, {"headers": {"b": {"exact": "1"}}}]},
        })),
        &[],
    );
    assert!(
        several
            .provider()
            .refused(&several.canary)
            .unwrap()
            .to_string()
            .contains("no alternatives")
    );
}

/// routers-ingress.md 10: insertion of predicates; and texts that look like separators.
#[test]
fn predicates_are_kept_in_order() {
    let cases = [
        ("", "Weight(100)", "False()"),
        ("A() && B()", "Weight(100) && A() && B()", "False() && A() && B()"),
        ("A()&&Weight(100)", "Weight(100) && A()", "False() && A()"),
        ("False() && A()", "Weight(100) && A()", "False() && A()"),
        (
            r#"Path("/a && b") && A()"#,
            r#"Weight(100) && Path("/a && b") && A()"#,
            r#"False() && Path("/a && b") && A()"#,
        ),
        (
            r"PathRegexp(/a\/ && b/)",
            r"Weight(100) && PathRegexp(/a\/ && b/)",
            r"False() && PathRegexp(/a\/ && b/)",
        ),
        (" && ", "Weight(100)", "False()"),
        ("ä && \"", "Weight(100) && ä && \"", "False() && ä && \""),
    ];
    for (given, on, off) in cases {
        assert_eq!(predicates::on(given, &[]), on);
        assert_eq!(predicates::off(given), off);
        assert_eq!(predicates::off(on), off);
        assert_eq!(predicates::on(off, &[]), on);
    }
}

/// Errors of the peer's GetRoutes are no split here, and the run's own is put back.
#[test]
fn unreadable_weights() {
    for text in [
        json!(null),
        json!("no JSON"),
        json!("{\"cart-primary\":100}"),
        json!("{\"cart-primary\":0,\"cart-canary\":0}"),
        json!("{\"cart-primary\":-1,\"cart-canary\":2}"),
    ] {
        let mut play = play(&json!({}), &json!({}));
        play.settle(Split::of(30));
        play.patch(
            kinds::INGRESS,
            "cart-web-canary",
            &json!({"metadata": {"annotations": {WEIGHTS: text}}}),
        );
        assert_eq!(
            play.observed(),
            Err(Unready::NoSplit("Ingress cart-web-canary.shop".into()))
        );
        play.settle(Split::of(30));
    }
}
