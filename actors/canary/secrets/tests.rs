use super::*;
use crate::{
    caches::tests::{Bench, over, settle},
    cluster::fake::Fake,
};
use serde_json::json;

const AT: &str = "/api/v1/namespaces/shop/secrets/token";

fn secret(token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "token", "namespace": "shop"}, "data": {"token": token},
    })
}

#[tokio::test(start_paused = true)]
async fn a_secret_is_read_again_only_when_it_has_changed() {
    let fake = Fake::default();
    fake.put(AT, secret("b2xk"));
    over(fake, |Bench { fake, caches, .. }| async move {
        let of = kinds::SECRET.named("shop", "token");
        let mut secrets = Secrets::default();
        assert_eq!(secrets.get(&caches, &of), None, "nothing was read yet");
        let old = Arc::new(fake.object(AT).unwrap());
        secrets.remember(&of, &old);
        assert_eq!(secrets.get(&caches, &of), Some(old));

        fake.put(AT, secret("bmV3"));
        settle().await;
        assert_eq!(secrets.get(&caches, &of), None, "it was rotated");
        let new = Arc::new(fake.object(AT).unwrap());
        secrets.remember(&of, &new);
        assert_eq!(secrets.get(&caches, &of), Some(new));

        fake.remove(AT);
        settle().await;
        assert_eq!(secrets.get(&caches, &of), None, "it is gone");
    })
    .await;
}

#[test]
fn only_secrets_are_kept_and_not_too_many() {
    let mut secrets = Secrets::default();
    let object = Arc::new(secret("eA=="));
    secrets.remember(&kinds::CONFIG_MAP.named("shop", "config"), &object);
    assert!(secrets.0.is_empty());
    for number in 0..=SECRETS_MAX {
        secrets.remember(&kinds::SECRET.named("shop", &number.to_string()), &object);
        assert!(secrets.0.len() <= SECRETS_MAX);
    }
}
