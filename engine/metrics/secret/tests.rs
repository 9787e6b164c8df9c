use super::{BadSecret, required, text};
use serde_json::json;

#[test]
fn values_are_decoded_and_line_ends_dropped() {
    let secret =
        json!({"data": {"plain": "dDBrZW4=", "lines": "dDBrZW4NCg==", "inner": "YQpi", "bytes": "/w==", "bad": "%"}});
    assert_eq!(text(&secret, "plain"), Ok(Some("t0ken".into())));
    assert_eq!(text(&secret, "lines"), Ok(Some("t0ken".into())));
    assert_eq!(text(&secret, "absent"), Ok(None));
    assert_eq!(required(&secret, "absent"), Err(BadSecret::Missing("absent")));
    for key in ["inner", "bytes", "bad"] {
        assert_eq!(text(&secret, key), Err(BadSecret::Unreadable(key)));
    }
}
