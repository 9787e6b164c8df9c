//! The k6 webhook's guards, and what its readiness says.

use serde_json::json;
use std::{fs, os::unix::fs::PermissionsExt};

use crate::{
    companions::{Companion, folder},
    test,
};

#[tokio::test]
async fn a_token_and_the_namespace_are_asked_for() {
    let file = folder("k6-token-file").join("token");
    fs::write(&file, "the-bearer-token\n").unwrap();
    let flag = format!("--token-file={}", file.display());
    let webhook = Companion::k6("k6-token", &[&flag, "--namespace-regexp=^test$"], &[]).await;
    let body = test("a", "", &json!({}));
    assert_eq!(webhook.post("/launch-test", &body).await.status, 401);
    for path in ["/tests", "/tests/1"] {
        assert_eq!(webhook.get(path).await.status, 401, "{path}");
    }
    let as_user = |body: &serde_json::Value| webhook.request("/launch-test", body).bearer_auth("the-bearer-token");
    let answer = as_user(&body).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("missing script"));
    let mut elsewhere = test("a", "export default function () {}", &json!({}));
    elsewhere["namespace"] = json!("other");
    let answer = as_user(&elsewhere).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(!webhook.said().contains("the-bearer-token"));
}

#[tokio::test]
async fn without_a_k6_it_is_not_ready_and_says_why() {
    let here = folder("k6-gone-path");
    let k6 = here.join("k6");
    fs::write(&k6, "#!/bin/sh\nexit 0\n").unwrap();
    fs::set_permissions(&k6, fs::Permissions::from_mode(0o755)).unwrap();
    let path = here.display().to_string();
    let webhook = Companion::k6("k6-gone", &[], &[("PATH", &path)]).await;
    assert_eq!(webhook.get("/health").await.body, "Good to go!");
    fs::remove_file(&k6).unwrap();
    let answer = webhook.get("/health").await;
    assert_eq!((answer.status, answer.body.trim()), (503, "k6 is not on the PATH"));
    assert_eq!(webhook.get("/metrics").await.status, 200, "it is alive");
}
