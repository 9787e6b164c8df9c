//! Properties over Canaries of many shapes, against the defaults of the API server.

use super::*;
use crate::objects;
use proptest::prelude::*;

fn pairs() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z]{1,4}".prop_map(|text| json!({"exact": text})),
        "[a-z]{1,4}".prop_map(|text| json!({"regex": text})),
    ];
    prop::collection::btree_map("[a-e]", text, 0..4).prop_map(|map| json!(map))
}

prop_compose! {
    fn found()(uri in prop::option::of("/[a-z]{0,3}"), headers in pairs(), query in pairs()) -> Value {
        let uri = uri.map(|uri| json!({"prefix": uri}));
        json!({"uri": uri, "headers": headers, "queryParams": query})
    }
}

prop_compose! {
    fn changes()(
        matches in prop::collection::vec(found(), 0..3),
        tested in prop::collection::vec("[a-z]{1,3}", 0..3),
        add in prop::collection::btree_map("[a-c]", "[a-z]", 0..3),
        origins in prop::option::of(prop::collection::vec("[a-c]", 0..3)),
        max_age in prop::option::of("[1-9][hms]|x"),
        hosts in prop::collection::vec("[a-c]{1,2}", 0..2),
        apex in prop::option::of(prop::collection::btree_map("[a-c]", "[a-z]", 0..2)),
        mirror in any::<bool>(),
    ) -> Value {
        let tested: Vec<Value> = tested.into_iter().map(|text| json!({"headers": {"x-who": {"exact": text}}})).collect();
        json!({
            "service": {
                "match": matches, "hosts": hosts,
                "headers": {"request": {"add": add, "set": add}},
                "corsPolicy": origins.map(|list| json!({"allowOrigin": list, "maxAge": max_age})),
                "apex": apex.map(|map| json!({"labels": map, "annotations": map})),
                "mirror": if mirror { json!([{"backendRef": {"name": "audit", "port": 80}}]) } else { json!([]) },
            },
            "analysis": {"match": tested},
        })
    }
}

proptest! {
    /// What is written is what is read back, and a second pass finds nothing to do.
    #[test]
    fn settles_and_reads_back(changes in changes(), weight in 0_i64..=100, mirrored in any::<bool>()) {
        let canary = canary(&changes);
        let split = Split { mirrored, ..Split::of(weight) };
        let live = stored(made(&canary, split));
        prop_assert_eq!(patch(&canary, &live, split), None);
        prop_assert_eq!(observed(&context(&canary, Some(&live))), Ok(split));
    }

    /// From any of our routes to any other split and Canary in one write; foreign annotations and fields stay.
    #[test]
    fn one_write_from_anywhere(before in changes(), after in changes(), from in 0_i64..=100, to in 0_i64..=100) {
        let mut live = stored(made(&canary(&before), Split::of(from)));
        live["metadata"]["annotations"]["foreign"] = json!("kept");
        live["spec"]["unheardOf"] = json!({"a": [1]});
        live["spec"]["rules"][0]["sessionPersistence"] = json!({"type": "Cookie"});
        let canary = canary(&after);
        let mut now = live.clone();
        if let Some(change) = patch(&canary, &live, Split::of(to)) {
            tree::merge(&mut now, &change);
        }
        prop_assert_eq!(patch(&canary, &stored(now.clone()), Split::of(to)), None);
        prop_assert_eq!(observed(&context(&canary, Some(&now))), Ok(Split::of(to)));
        prop_assert_eq!(&now["metadata"]["annotations"]["foreign"], "kept");
        prop_assert_eq!(&now["spec"]["unheardOf"], &live["spec"]["unheardOf"]);
        prop_assert_eq!(&now["spec"]["rules"][0]["sessionPersistence"], &json!({"type": "Cookie"}));
        prop_assert!(objects::is_controlled_by(&now, &canary));
    }

    /// A test group never includes everybody: each match of the first rule has a condition of the analysis.
    #[test]
    fn tests_never_fail_open(changes in changes()) {
        let canary = canary(&changes);
        let tested = canary.spec.analysis.as_ref().is_some_and(|analysis| !analysis.matches.is_empty());
        prop_assume!(tested);
        let route = made(&canary, Split::CANARY);
        for found in route["spec"]["rules"][0]["matches"].as_array().unwrap() {
            let headers = found["headers"].as_array().unwrap();
            prop_assert!(headers.iter().any(|header| header["name"] == "x-who"));
        }
        prop_assert_eq!(&route["spec"]["rules"][1]["backendRefs"], &json!([backend("app-primary", 100)]));
    }
}
