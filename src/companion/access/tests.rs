use super::*;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};

fn headers(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    headers
}

#[test]
fn the_filter_searches_as_documented() {
    for (pattern, namespace, allowed) in [
        ("", "any", true),
        ("", "", true),
        ("^shop$", "shop", true),
        ("^shop$", "shop-dev", false),
        ("shop", "workshop-x", true),
    ] {
        assert_eq!(
            Access::new(pattern, None).unwrap().allows(namespace),
            allowed,
            "{pattern} {namespace}"
        );
    }
    assert!(Access::new("(", None).is_err());
}

#[test]
fn the_token_opens_and_nothing_else() {
    let open = Access::default();
    assert!(open.admits(&HeaderMap::new()));
    let access = Access::new("", Some("s3cret")).unwrap();
    assert!(!access.admits(&HeaderMap::new()));
    for (value, admitted) in [
        ("Bearer s3cret", true),
        ("bearer s3cret", true),
        ("Basic dXNlcjpzM2NyZXQ=", true),
        ("Bearer s3cre", false),
        ("Bearer ", false),
        ("s3cret", false),
        ("Basic czNjcmV0", false),
        ("Digest s3cret", false),
    ] {
        assert_eq!(access.admits(&headers(value)), admitted, "{value}");
    }
}
