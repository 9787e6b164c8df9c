//! Numbers as the schema has them.

use super::*;
use serde_json::{Value, json};

#[test]
fn whole_numbers_are_recognised_and_fractions_survive() {
    let cases: [(Value, Option<i64>, Value); 7] = [
        (json!(5), Some(5), json!(5)),
        (json!(5.0), Some(5), json!(5)),
        (json!(-3), Some(-3), json!(-3)),
        (json!(2.5), None, json!(2.5)),
        (
            json!(9_007_199_254_740_992_i64),
            Some(9_007_199_254_740_992),
            json!(9_007_199_254_740_992_i64),
        ),
        (json!(1e300), None, json!(1e300)),
        (json!(0), Some(0), json!(0)),
    ];
    for (written, whole, read_back) in cases {
        let number: Number = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(number.whole(), whole, "{written}");
        assert_eq!(json!(number), read_back, "{written}");
    }
}

#[test]
fn counters_of_the_status_lose_their_fraction() {
    let read = |value: Value| whole_part(value).unwrap();
    assert_eq!(read(json!(2)), 2);
    assert_eq!(read(json!(2.0)), 2);
    assert_eq!(read(json!(2.9)), 2);
    assert_eq!(read(json!(-1)), -1);
    assert_eq!(read(json!(1e300)), i64::MAX);
    assert!(whole_part(json!("2")).is_err());
}
