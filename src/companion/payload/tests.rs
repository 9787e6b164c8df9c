use super::*;

fn read(body: &str) -> Result<Payload, BadPayload> {
    Payload::read(body.as_bytes())
}

#[test]
fn the_documented_payload_is_read() {
    let payload = read(
        r#"{"name":"podinfo","namespace":"test","phase":"Progressing","checksum":"85d557f47b",
            "metadata":{"test":"all","token":"16688eb5e9f289f1991c"}}"#,
    )
    .unwrap();
    assert_eq!((payload.name.as_str(), payload.namespace.as_str()), ("podinfo", "test"));
    assert_eq!(
        (payload.phase.as_str(), payload.checksum.as_str()),
        ("Progressing", "85d557f47b")
    );
    assert_eq!(payload.get("token"), Some("16688eb5e9f289f1991c"));
    assert_eq!(payload.get("absent"), None);
}

#[test]
fn numbers_booleans_and_null_are_text() {
    let payload = read(r#"{"metadata":{"clone":100,"wait":true,"rate":2.5,"nothing":null}}"#).unwrap();
    for (key, text) in [("clone", "100"), ("wait", "true"), ("rate", "2.5"), ("nothing", "")] {
        assert_eq!(payload.metadata[key], text, "{key}");
    }
}

#[test]
fn keys_are_matched_as_in_go() {
    assert_eq!(read(r#"{"Name":"a","NAMESPACE":"b"}"#).unwrap().name, "a");
    assert_eq!(read(r#"{"Name":"other","name":"exact"}"#).unwrap().name, "exact");
    assert_eq!(read("null").unwrap(), Payload::default());
    assert_eq!(read(r#"{"unknown":[1]}"#).unwrap(), Payload::default());
}

#[test]
fn what_is_no_payload_is_refused() {
    for body in [
        "",
        " ",
        "{",
        "bad",
        "[]",
        "7",
        r#"{"name":1}"#,
        r#"{"metadata":[]}"#,
        r#"{"metadata":{"a":{}}}"#,
        r#"{"metadata":{"a":[1]}}"#,
        "{} {}",
    ] {
        assert!(read(body).is_err(), "{body}");
    }
    assert_eq!(read(""), Err(BadPayload::Empty));
}

#[test]
fn the_first_value_counts_where_the_rest_is_ignored() {
    assert_eq!(Payload::read_first(br#"{"name":"a"} trailing"#).unwrap().name, "a");
    assert_eq!(Payload::read_first(b""), Err(BadPayload::Empty));
    assert!(Payload::read_first(b"bad").is_err());
}

#[test]
fn truth_is_what_go_takes() {
    for text in ["1", "t", "T", "true", "TRUE", "True"] {
        assert_eq!(truth(text), Some(true), "{text}");
    }
    for text in ["0", "f", "F", "false", "FALSE", "False"] {
        assert_eq!(truth(text), Some(false), "{text}");
    }
    for text in ["", "yes", "tRUE", " true"] {
        assert_eq!(truth(text), None, "{text}");
    }
}
