use super::{ServiceAccount, metadata_request, to_sign, token, token_request};
use crate::http::Response;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;

fn key() -> Value {
    json!({
        "type": "service_account", "client_email": "a@p.iam.gserviceaccount.com", "private_key_id": "k1",
        "private_key": "-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n",
        "token_uri": "https://oauth2.googleapis.com/token",
    })
}

fn answer(status: u16, body: impl std::fmt::Display) -> Response {
    Response {
        status,
        body: body.to_string(),
        retry_after: None,
    }
}

#[test]
fn the_assertion_has_the_documented_claims() {
    let account = ServiceAccount::parse(&key().to_string()).unwrap();
    assert_eq!(account.key, [1, 2, 3]);
    let text = to_sign(&account, Timestamp::from_second(1_328_550_785).unwrap());
    let parts: Vec<Value> = text
        .split('.')
        .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
        .collect();
    assert_eq!(parts[0], json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
    let claims = json!({
        "iss": "a@p.iam.gserviceaccount.com", "scope": "https://www.googleapis.com/auth/monitoring.read",
        "aud": "https://oauth2.googleapis.com/token", "iat": 1_328_550_785, "exp": 1_328_554_385,
    });
    assert_eq!(parts[1], claims);
    let request = token_request(&account, "a.b", &[1, 2]);
    assert_eq!(request.url, "https://oauth2.googleapis.com/token");
    assert_eq!(
        request.body,
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.AQI"
    );
    assert_eq!(
        metadata_request().headers,
        [("Metadata-Flavor".into(), "Google".into())]
    );
    assert_eq!(format!("{account:?}"), "ServiceAccount(a@p.iam.gserviceaccount.com)");
}

#[test]
fn keys_without_what_is_needed_are_refused() {
    for field in ["client_email", "private_key"] {
        let mut lacking = key();
        lacking[field] = Value::Null;
        assert!(ServiceAccount::parse(&lacking.to_string()).is_err(), "{field}");
    }
    let mut odd = key();
    odd["token_uri"] = json!("file:///etc/passwd");
    assert!(ServiceAccount::parse(&odd.to_string()).is_err());
    assert!(ServiceAccount::parse("no JSON").is_err());
}

#[test]
fn tokens_are_read_and_never_told() {
    let good = token(&answer(
        200,
        json!({"access_token": "ya29", "expires_in": 3599, "token_type": "Bearer"}),
    ))
    .unwrap();
    assert_eq!((good.text.as_str(), good.life), ("ya29", Duration::from_secs(3599)));
    let denied = answer(
        400,
        json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
    );
    assert_eq!(
        token(&denied).err(),
        Some("no token: Status 400 Bad Request: invalid_grant Invalid JWT Signature.".into())
    );
    let odd = token(&answer(200, json!({"token": "s3cret"}))).err().unwrap();
    assert!(!odd.contains("s3cret"), "{odd}");
}

proptest! {
    #[test]
    fn no_answer_breaks_the_reader(body in "\\PC{0,80}", status in 100_u16..600) {
        let _ = token(&answer(status, body));
    }
}
