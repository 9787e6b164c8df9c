use super::*;
use serde_json::{Value, json};

fn read(metadata: &Value) -> Result<Order, BadRequest> {
    let body = json!({"name": "checkout", "namespace": "shop", "phase": "Progressing", "checksum": "6f1c", "metadata": metadata});
    Order::read(body.to_string().as_bytes())
}

fn text(body: &str) -> String {
    Order::read(body.as_bytes()).unwrap_err().to_string()
}

#[test]
fn defaults_are_the_documented_ones() {
    let order = read(&json!({"script": "x"})).unwrap();
    assert_eq!((order.upload, order.wait), (false, true));
    assert_eq!(order.failure_delay, Duration::from_mins(2));
    assert!(order.channels.is_empty() && order.variables.is_empty() && order.secrets.is_empty());
    assert_eq!((order.name.as_str(), order.checksum.as_str()), ("checkout", "6f1c"));
}

#[test]
fn everything_documented_is_read() {
    let order = read(&json!({
        "script": "x", "upload_to_cloud": "true", "wait_for_results": "false", "slack_channels": "channel1, channel2,",
        "notification_context": "My Cluster: `dev-us-east-1`", "min_failure_delay": "3m", "env_vars": "{\"KEY\": \"value\"}",
        "kubernetes_secrets": "{\"TEST_VAR\": \"other-namespace/secret-name/secret-key\", \"OWN\": \"db/password\", \"DEEP\": \"v/db/a/b\"}",
    }))
    .unwrap();
    assert_eq!(
        (order.upload, order.wait, order.failure_delay),
        (true, false, Duration::from_mins(3))
    );
    assert_eq!(order.channels, ["channel1", "channel2"]);
    assert_eq!(order.variables["KEY"], "value");
    for (variable, namespace, name, key) in [
        ("TEST_VAR", "other-namespace", "secret-name", "secret-key"),
        ("OWN", "shop", "db", "password"),
        ("DEEP", "v", "db", "a/b"),
    ] {
        let secret = &order.secrets[variable];
        assert_eq!(
            (&*secret.namespace, &*secret.name, &*secret.key),
            (namespace, name, key),
            "{variable}"
        );
    }
    assert!(
        !read(&json!({"script": "x", "wait_for_results": false})).unwrap().wait,
        "booleans are taken as text"
    );
    assert_eq!(
        read(&json!({"script": "x", "min_failure_delay": 0}))
            .unwrap()
            .failure_delay,
        Duration::ZERO
    );
}

#[test]
fn mistakes_have_the_documented_words() {
    let prefix = "error while validating request: ";
    assert_eq!(text(""), format!("{prefix}EOF"));
    assert!(text("bad").starts_with(prefix));
    assert_eq!(
        text("{}"),
        format!("{prefix}error while validating base webhook: missing name")
    );
    assert_eq!(
        text(r#"{"name":"a"}"#),
        format!("{prefix}error while validating base webhook: missing namespace")
    );
    let base = "error while validating base webhook: missing phase";
    assert_eq!(text(r#"{"name":"a","namespace":"b"}"#), format!("{prefix}{base}"));
    assert_eq!(
        text(r#"{"name":"a","namespace":"b","phase":"c","metadata":{}}"#),
        format!("{prefix}missing script")
    );
    for (key, value) in [
        ("upload_to_cloud", "bad"),
        ("wait_for_results", "bad"),
        ("min_failure_delay", "bad"),
        ("min_failure_delay", "-1m"),
        ("env_vars", "[]"),
        ("env_vars", "{\"A=B\": \"x\"}"),
        ("env_vars", "{\"A\": \"x\\u0000\"}"),
        ("kubernetes_secrets", "[]"),
        ("kubernetes_secrets", "{\"A\": \"password\"}"),
        ("kubernetes_secrets", "{\"A\": \"ns//key\"}"),
        ("slack_channels", "a,b,c,d,e,f,g,h,i,j,k"),
    ] {
        let bad = read(&json!({"script": "x", key: value})).unwrap_err().to_string();
        let wanted = format!("{prefix}error parsing value for '{key}': ");
        assert!(bad.starts_with(&wanted), "{bad}");
    }
}
