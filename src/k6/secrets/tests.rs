#![cfg(feature = "sandbox")]

use super::*;
use crate::sandbox::{Sandbox, Settings};
use jiff::Timestamp;
use kube::api::PostParams;
use std::sync::Arc;

fn wanted(namespace: &str, name: &str, key: &str) -> BTreeMap<String, SecretKey> {
    let secret = SecretKey {
        namespace: namespace.into(),
        name: name.into(),
        key: key.into(),
    };
    BTreeMap::from([("VARIABLE".to_owned(), secret)])
}

async fn client() -> Client {
    let runtime = tokio::runtime::Handle::current();
    let spawner = move |task| drop(runtime.spawn(task));
    let client = Sandbox::new(
        Arc::new(|| Timestamp::UNIX_EPOCH),
        Arc::new(spawner),
        Settings::default(),
    )
    .client();
    let secret = serde_json::json!({"metadata": {"name": "db"}, "data": {"password": "aHVudGVyMg==", "a/b": "eA=="}});
    let secret: Secret = serde_json::from_value(secret).unwrap();
    let api: Api<Secret> = Api::namespaced(client.clone(), "default");
    api.create(&PostParams::default(), &secret).await.unwrap();
    client
}

#[tokio::test(start_paused = true)]
async fn values_are_read() {
    let client = client().await;
    for (key, value) in [("password", "hunter2"), ("a/b", "x")] {
        let values = read(Some(&client), &wanted("default", "db", key)).await.unwrap();
        assert_eq!(values, BTreeMap::from([("VARIABLE".to_owned(), value.to_owned())]));
    }
    assert!(
        read(None, &BTreeMap::new()).await.unwrap().is_empty(),
        "nobody is asked for nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_has_the_documented_words() {
    let client = client().await;
    let text = async |client: Option<&Client>, name, key| {
        let missing = read(client, &wanted("default", name, key)).await;
        missing.unwrap_err().to_string()
    };
    assert_eq!(
        text(None, "db", "password").await,
        "kubernetes client is not configured"
    );
    assert_eq!(
        text(Some(&client), "db", "user").await,
        "secret default/db does not have key user"
    );
    let absent = text(Some(&client), "gone", "password").await;
    assert_eq!(absent, "error fetching secret default/gone: secrets \"gone\" not found");
}
