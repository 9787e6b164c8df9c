use super::csv::records;
use crate::metrics::{
    Reading,
    provider::{
        provider,
        tests::{Trial, failed, header, no_values, ok, pairs},
    },
};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn the_question_is_the_documented_one() {
    let keys = [("token", "t0ken"), ("org", "acme")];
    let question = Trial::new("influxdb", Some("http://influx:8086"), "from(bucket: \"default\")")
        .secret(&keys)
        .ask()
        .unwrap();
    assert_eq!(question.request.url, "http://influx:8086/api/v2/query?org=acme");
    assert_eq!(pairs(&question.request.url), [("org".into(), "acme".into())]);
    assert_eq!(header(&question, "Authorization"), Some("Token t0ken"));
    let body: Value = serde_json::from_str(&question.request.body).unwrap();
    let dialect = json!({"annotations": ["datatype", "group", "default"], "delimiter": ",", "header": true});
    assert_eq!(
        body,
        json!({"query": "from(bucket: \"default\")", "type": "flux", "dialect": dialect})
    );
}

#[test]
fn what_the_documented_example_lacks_is_told() {
    let documented = Trial::new("influxdb", None, "q").secret(&[("token", "t")]);
    assert_eq!(
        documented.ask().unwrap_err().to_string(),
        "influxdb provider needs an address"
    );
    let addressed = Trial::new("influxdb", Some("http://i"), "q").secret(&[("token", "t")]);
    assert_eq!(addressed.ask().unwrap_err().to_string(), "the secret has no key org");
    let bare = Trial::new("influxdb", Some("http://i"), "q").ask().unwrap_err();
    assert_eq!(
        bare.to_string(),
        "influxdb provider needs a secretRef with the keys token and org"
    );
}

fn table(kind: &str, rows: &str) -> String {
    format!(
        "#datatype,string,long,dateTime:RFC3339,{kind}\r\n#group,false,false,false,false\r\n#default,_result,,,\r\n,result,table,_time,_value\r\n{rows}\r\n"
    )
}

#[test]
fn answers_are_classified() {
    let parse = provider("influxdb").unwrap().parse;
    let errors = "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,Failed to parse query,897\r\n";
    let cases = [
        ("#datatype,string,long,double\n#group,false,false,false\n#default,_result,,\n,result,table,_value\n,,0,1.4\n".into(), Reading::Value(1.4)),
        (table("double", ",,0,2020-01-01T00:00:00Z,1\r\n,,0,2020-01-01T00:02:00Z,3\r\n,,0,2020-01-01T00:01:00Z,2\r\n"), Reading::Value(3.0)),
        (table("long", ",,0,2020-01-01T00:00:00Z,7\r\n"), Reading::Value(7.0)),
        (table("unsignedLong", ",,0,2020-01-01T00:00:00Z,7\r\n"), Reading::Value(7.0)),
        (table("double", ",,0,2020-01-01T00:00:00Z,1\r\n,,1,2020-01-01T00:01:00Z,2\r\n"), Reading::Value(1.0)),
        (table("double", ",,0,2020-01-01T00:00:00Z,\r\n"), no_values()),
        (table("double", ",,0,2020-01-01T00:00:00Z,NaN\r\n"), no_values()),
        (table("double", ""), no_values()),
        ("\r\n".into(), no_values()),
        (String::new(), no_values()),
        (table("string", ",,0,2020-01-01T00:00:00Z,7\r\n"), failed("the value is a string, a number is needed")),
        (table("boolean", ",,0,2020-01-01T00:00:00Z,true\r\n"), failed("the value is a boolean, a number is needed")),
        (errors.into(), failed("error response: Failed to parse query")),
        (table("double", ",,0,2020-01-01T00:00:00Z,1\r\n") + errors, failed("error response: Failed to parse query")),
        ("#datatype,string\r\n,result\r\n,x\r\n".into(), failed("the result has no column _value")),
    ];
    for (body, expected) in cases {
        assert_eq!(parse(&ok(&body)), expected, "{body}");
    }
    assert!(matches!(parse(&ok("a,\"b")), Reading::Failed(_)));
}

#[test]
fn quoted_fields_are_one_field() {
    let text = "a,\"b,c\"\r\n\"x\"\"y\n z\",\r\n\nend";
    let expected = [vec!["a", "b,c"], vec!["x\"y\n z", ""], vec![""], vec!["end"]];
    assert_eq!(records(text).unwrap(), expected);
    assert_eq!(records("\"open"), None);
}

proptest! {
    #[test]
    fn every_text_is_cut_or_refused(text in "[a,\"\\r\\n#]{0,40}") {
        let _ = records(&text);
    }
}
