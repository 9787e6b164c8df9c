//! Properties over Canaries of many shapes.

use super::*;
use proptest::prelude::*;

prop_compose! {
    fn found()(uri in prop::option::of("/[a-z]{0,3}"), headers in prop::collection::btree_map("[a-e]", "[a-z]{1,4}", 0..3)) -> Value {
        let uri = uri.map(|uri| json!({"prefix": uri}));
        let headers: Vec<(String, Value)> = headers.into_iter().map(|(name, text)| (name, json!({"exact": text}))).collect();
        json!({"uri": uri, "headers": headers.into_iter().collect::<serde_json::Map<_, _>>()})
    }
}

prop_compose! {
    fn changes()(
        matches in prop::collection::vec(found(), 0..3),
        tested in prop::collection::vec("[a-z]{1,3}", 0..3),
        add in prop::collection::btree_map("[a-c]", "[a-z]", 0..3),
        hosts in prop::collection::vec("[a-c]{1,2}", 0..3),
        timeout in prop::option::of("[1-9]s"),
        cookies in prop::option::of(any::<bool>()),
        mode in prop::option::of(Just("SIMPLE")),
    ) -> Value {
        let tested: Vec<Value> = tested.into_iter().map(|text| json!({"headers": {"x-who": {"exact": text}}})).collect();
        let affinity = cookies.map(|primary| json!({"cookieName": "c", "primaryCookieName": primary.then_some("p"), "path": "/"}));
        json!({
            "service": {
                "match": matches, "hosts": hosts, "timeout": timeout, "headers": {"request": {"add": add}, "response": {"set": add}},
                "trafficPolicy": mode.map(|mode| json!({"tls": {"mode": mode}})),
            },
            "analysis": {"match": tested, "sessionAffinity": affinity},
        })
    }
}

fn status() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        Just(json!({"sessionAffinityCookie": "c=Now"})),
        Just(json!({"previousSessionAffinityCookie": "c=Before"})),
    ]
}

proptest! {
    /// What is written is what is read back, and a second pass finds nothing to do.
    #[test]
    fn settles_and_reads_back(changes in changes(), status in status(), weight in 0_i64..=100, mirrored in any::<bool>()) {
        let canary = canary_with(&changes, &status);
        let split = Split { mirrored: mirrored && weight == 0, ..Split::of(weight) };
        let live = made(&canary, split);
        prop_assert_eq!(patches(&canary, &live, split), []);
        prop_assert_eq!(observed_of(&canary, &live), Ok(split));
    }

    /// From any of our routes to any other split and Canary in one pass; foreign fields stay. At 100/0 nothing leads to the canary, and
    /// weights always sum to 100.
    #[test]
    fn one_pass_from_anywhere(before in changes(), after in changes(), status in status(), from in 0_i64..=100, to in 0_i64..=100) {
        let mut live = made(&canary_with(&before, &status), Split::of(from));
        live[2]["metadata"]["annotations"]["foreign"] = json!("kept");
        live[2]["spec"]["unheardOf"] = json!({"a": [1]});
        live[1]["spec"]["subsets"] = json!([{"name": "x"}]);
        let canary = canary_with(&after, &status);
        let now = PROVIDER.desired(&context(&canary, &live), Split::of(to)).unwrap();
        prop_assert_eq!(patches(&canary, &now, Split::of(to)), []);
        prop_assert_eq!(observed_of(&canary, &now), Ok(Split::of(to)));
        prop_assert_eq!(&now[2]["metadata"]["annotations"]["foreign"], "kept");
        prop_assert_eq!(&now[2]["spec"]["unheardOf"], &live[2]["spec"]["unheardOf"]);
        prop_assert_eq!(&now[1]["spec"]["subsets"], &json!([{"name": "x"}]));
        for route in now[2]["spec"]["http"].as_array().unwrap() {
            let destinations = route["route"].as_array().unwrap();
            let weight = |destination: &Value| destination["weight"].as_i64().unwrap();
            prop_assert_eq!(destinations.iter().map(weight).sum::<i64>(), 100);
            let leaks = destinations.iter().any(|destination| destination["destination"]["host"] == "app-canary" && weight(destination) > 0);
            prop_assert!(to > 0 || !leaks);
        }
    }
}
