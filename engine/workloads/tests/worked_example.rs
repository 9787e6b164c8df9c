//! The worked example of workloads.md 16: inputs and outputs at initialisation.

use super::*;
use crate::configs;

fn example_target() -> Value {
    serde_json::from_str(include_str!("worked_example/target.json")).unwrap()
}

fn example_primary() -> Value {
    serde_json::from_str(include_str!("worked_example/primary.json")).unwrap()
}

fn house() -> House {
    let mut house = House::new(true, &["team.example/"]);
    house.tracked.insert(kinds::CONFIG_MAP.named("shop", "web-cfg"));
    house.tracked.insert(kinds::SECRET.named("shop", "web-db"));
    house
}

#[test]
fn the_references_are_found() {
    let references = configs::references(&example_target()["spec"]["template"], "shop");
    let found: Vec<_> = references.iter().map(|r| (r.key(), r.optional)).collect();
    let expected = [
        ("configmap/web-cfg", false),
        ("configmap/web-shared", false),
        ("secret/web-db", false),
        ("secret/web-opt", true),
    ];
    assert_eq!(found, expected.map(|(key, optional)| (key.to_owned(), optional)));
}

#[test]
fn the_primary_is_made() {
    let house = house();
    let primary = house
        .projection("5b1d2c3e-0d5f-4a7e-9c11-2f0e6f7a8b90")
        .new_primary(&example_target());
    assert_eq!(primary, example_primary());
}

#[test]
fn the_first_promotion_keeps_the_primarys_count() {
    let house = house();
    let projection = house.projection("2");
    let promoted = projection.promoted(&scaled(&example_target(), 5), &example_primary());
    let mut expected = example_primary();
    expected["spec"]["template"]["metadata"]["annotations"][FLAGGER_ID] = json!("2");
    assert_eq!(promoted, expected);
}
