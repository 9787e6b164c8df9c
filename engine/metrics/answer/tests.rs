use super::{json, measured, newest, numeral, online, refused};
use crate::{http::Response, metrics::Reading};
use serde_json::{Value, json as value};

fn response(status: u16, body: &str) -> Response {
    Response {
        status,
        body: body.into(),
        retry_after: None,
    }
}

#[test]
fn nonsense_means_the_same_everywhere() {
    let numbers = [
        (value!(1.5), Ok(Some(1.5))),
        (value!(-3), Ok(Some(-3.0))),
        (Value::Null, Ok(None)),
        (value!("NaN"), Ok(None)),
        (value!("-Infinity"), Ok(None)),
        (value!("1.5"), Err("\"1.5\" is no number")),
        (value!(true), Err("a boolean is no number")),
        (value!([1]), Err("a list is no number")),
        (value!({"a": 1}), Err("an object is no number")),
    ];
    for (given, expected) in numbers {
        assert_eq!(measured(&given), expected.map_err(str::to_owned), "{given}");
    }
    let texts = [
        ("1.5", Ok(Some(1.5))),
        (" 1e3\n", Ok(Some(1000.0))),
        ("NaN", Ok(None)),
        ("+Inf", Ok(None)),
        ("1e999", Ok(None)),
        ("", Ok(None)),
        ("<html>", Err("\"<html>\" is no number")),
    ];
    for (given, expected) in texts {
        assert_eq!(numeral(given), expected.map_err(str::to_owned), "{given}");
    }
}

#[test]
fn the_newest_measurement_counts_in_any_order() {
    let none = Reading::NoData("no values found".into());
    let cases = [
        (vec![], none.clone()),
        (vec![(1.0, Ok(None)), (2.0, Ok(None))], none),
        (
            vec![(1.0, Ok(Some(10.0))), (3.0, Ok(Some(30.0))), (2.0, Ok(Some(20.0)))],
            Reading::Value(30.0),
        ),
        (vec![(1.0, Ok(Some(10.0))), (2.0, Ok(None))], Reading::Value(10.0)),
        (vec![(1.0, Ok(Some(1.0))), (1.0, Ok(Some(2.0)))], Reading::Value(2.0)),
        (
            vec![(1.0, Ok(Some(1.0))), (2.0, Err("x is no number".into()))],
            Reading::Failed("x is no number".into()),
        ),
    ];
    for (points, expected) in cases {
        assert_eq!(newest(points.clone()), expected, "{points:?}");
    }
}

#[test]
fn a_bad_status_is_told_with_the_beginning_of_the_body() {
    for status in [301, 400, 401, 403, 404, 429, 500, 503] {
        let Err(Reading::Failed(cause)) = refused(&response(status, &"x".repeat(5000))) else {
            panic!("{status} is an error");
        };
        assert!(
            cause.contains(&status.to_string()) && cause.chars().count() < 400,
            "{cause}"
        );
        assert_eq!(online(&response(status, &"x".repeat(5000))), Err(cause));
    }
    assert_eq!(online(&response(200, "")), Ok(()));
    assert_eq!(json(&response(200, "{}")), Ok(value!({})));
    assert_eq!(
        json(&response(200, "<html>")),
        Err(Reading::Failed("the answer is no JSON: <html>".into()))
    );
}
