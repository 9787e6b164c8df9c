use super::{
    Routes,
    split::{Backend, Split},
};
use proptest::prelude::{prop, prop_assert, proptest};
use serde_json::{Value, json};

fn backends(primary: i64, canary: i64) -> Vec<Backend> {
    [("app-primary", primary), ("app-canary", canary)]
        .map(|(service, weight)| Backend {
            service: service.to_owned(),
            weight,
        })
        .into()
}

fn chosen(split: &mut Split, requests: usize) -> Vec<String> {
    (0..requests).filter_map(|_| split.next().map(str::to_owned)).collect()
}

fn route(primary: i64, canary: i64) -> Value {
    json!({
        "metadata": { "name": "app" },
        "spec": {
            "hostnames": ["app.example.com"],
            "rules": [{ "backendRefs": [
                { "name": "app-primary", "weight": primary },
                { "name": "app-canary", "weight": canary },
            ] }],
        },
    })
}

#[test]
fn ten_percent_are_every_tenth_request_in_the_middle_of_its_round() {
    let order = chosen(&mut Split::new(backends(90, 10)), 20);
    let canary: Vec<usize> = (0..20).filter(|at| order[*at] == "app-canary").collect();
    assert_eq!(canary, [5, 15]);
}

#[test]
fn who_has_no_weight_gets_nothing() {
    assert!(
        chosen(&mut Split::new(backends(100, 0)), 50)
            .iter()
            .all(|name| name == "app-primary")
    );
    assert!(
        chosen(&mut Split::new(backends(0, 1)), 50)
            .iter()
            .all(|name| name == "app-canary")
    );
    assert_eq!(chosen(&mut Split::new(backends(0, -5)), 5), Vec::<String>::new());
    assert_eq!(chosen(&mut Split::new(Vec::new()), 5), Vec::<String>::new());
}

proptest! {
    #[test]
    fn shares_are_less_than_one_request_away_from_the_weights(canary in 0_i64..=100, requests in 1_usize..400) {
        let mut split = Split::new(backends(100 - canary, canary));
        let got = chosen(&mut split, requests).iter().filter(|name| *name == "app-canary").count();
        let exact = requests as f64 * canary as f64 / 100.0;
        prop_assert!((got as f64 - exact).abs() < 1.0, "{got} of {requests} at {canary} %");
    }

    #[test]
    fn credits_of_many_backends_stay_bounded(weights in prop::collection::vec(1_i64..100, 1..6), requests in 1_usize..400) {
        let named = weights.iter().enumerate().map(|(at, weight)| Backend { service: at.to_string(), weight: *weight });
        let mut split = Split::new(named.collect());
        chosen(&mut split, requests);
        let total: i64 = weights.iter().sum();
        prop_assert!(split.credits().iter().all(|credit| credit.abs() <= total * 6));
        prop_assert!(split.credits().iter().sum::<i64>() == 0);
    }
}

#[test]
fn a_request_belongs_to_the_weights_that_routed_it() {
    let mut routes = Routes::default();
    assert!(routes.choose("app.example.com").is_err());
    routes.set("app", Some(&route(100, 0)));
    let (first, service) = routes.choose("app.example.com").unwrap();
    assert_eq!(service, "app-primary");
    // The same weights again are no new window.
    routes.set("app", Some(&route(100, 0)));
    assert_eq!(routes.choose("app.example.com").unwrap().0, first);
    routes.set("app", Some(&route(0, 100)));
    let (second, service) = routes.choose("APP.example.com:8080").unwrap();
    assert_eq!((second, service.as_str()), (first + 1, "app-canary"));
    let windows: Vec<(u64, i64)> = routes
        .windows("app")
        .iter()
        .map(|window| (window.number, window.share_of("app-canary")))
        .collect();
    assert_eq!(windows, [(first, 0), (second, 100)]);
    routes.set("app", None);
    assert!(routes.choose("app.example.com").is_err());
}
