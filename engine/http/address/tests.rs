use super::{Address, BadAddress};

#[test]
fn addresses_are_taken_apart() {
    let cases = [
        ("http://p:9090", "http://p:9090/", None),
        (" https://h/a?b=c ", "https://h/a?b=c", None),
        ("http://user:p%40ss%2@h/", "http://h/", Some("Basic dXNlcjpwQHNzJTI=")),
        ("http://user@h/", "http://h/", Some("Basic dXNlcjo=")),
    ];
    for (text, url, authorization) in cases {
        let address = Address::parse(text).unwrap();
        assert_eq!(
            (address.url.as_str(), address.authorization.as_deref()),
            (url, authorization)
        );
    }
}

#[test]
fn what_is_no_http_address_is_refused_without_being_repeated() {
    assert_eq!(
        Address::parse("ftp://h/s3cret").err(),
        Some(BadAddress::Scheme("ftp".into()))
    );
    for text in ["", "s3cret", "//s3cret", "http://", "http://h s3cret/"] {
        let error = Address::parse(text).err().unwrap().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}
