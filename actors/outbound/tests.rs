use super::{redirect::next, *};

fn request(url: &str) -> Request {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Request {
        method: Method::Post,
        url: url.into(),
        headers: vec![
            header("Content-Type", "application/json"),
            header("DD-API-KEY", "s3cret"),
        ],
        body: "{}".into(),
        timeout: Duration::from_secs(10),
        skip_tls_verify: false,
        proxy: None,
    }
}

fn names(request: &Request) -> Vec<&str> {
    request.headers.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn credentials_stay_with_their_server() {
    let all = ["Content-Type", "DD-API-KEY"].as_slice();
    let harmless = ["Content-Type"].as_slice();
    let cases = [
        ("http://a/x", "/y", "http://a/y", all),
        ("http://a/x", "https://a/x", "https://a/x", all),
        ("https://a/x", "http://a/x", "http://a/x", harmless),
        ("http://a/x", "http://a:81/x", "http://a:81/x", harmless),
        ("http://a:9090/x", "https://a/x", "https://a/x", harmless),
        ("http://a/x", "http://b/x", "http://b/x", harmless),
        ("http://a/x", "http://a.b/x", "http://a.b/x", harmless),
    ];
    for (from, location, to, headers) in cases {
        let redirected = next(&request(from), 307, Some(location)).unwrap().unwrap();
        assert_eq!(redirected.url, to);
        assert_eq!(names(&redirected), headers, "{from} -> {location}");
        assert_eq!((redirected.method, redirected.body.as_str()), (Method::Post, "{}"));
    }
}

#[test]
fn old_redirects_turn_a_post_into_a_get() {
    for status in [301, 302, 303] {
        let redirected = next(&request("http://a/x"), status, Some("/y")).unwrap().unwrap();
        assert_eq!((redirected.method, redirected.body.as_str()), (Method::Get, ""));
        assert_eq!(names(&redirected), ["DD-API-KEY"]);
    }
}

#[test]
fn what_is_no_redirect_is_the_answer() {
    for (status, location) in [(200, Some("/y")), (304, Some("/y")), (302, None)] {
        assert_eq!(
            next(&request("http://a/x"), status, location)
                .unwrap()
                .map(|next| next.url),
            None
        );
    }
    let elsewhere = next(&request("http://a/x"), 302, Some("file:///etc/passwd"));
    assert!(matches!(elsewhere, Err(Trouble::Refused(_))), "{elsewhere:?}");
}

#[test]
fn a_server_is_named_without_path_and_credentials() {
    let name = |url| origin(url).unwrap();
    assert_eq!(
        name("https://user:pw@hooks.example.com/services/T0/B0/secret?x=1"),
        "https://hooks.example.com"
    );
    assert_eq!(name("http://prometheus:9090/api"), "http://prometheus:9090");
    for url in ["", "prometheus:9090", "ftp://a/"] {
        assert!(matches!(origin(url), Err(Trouble::Refused(_))), "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_double_keeps_the_time_limit() {
    let ok = Response {
        status: 200,
        body: String::new(),
        retry_after: None,
    };
    let seconds = |latency| {
        let ok = ok.clone();
        scripted(move |_| (Duration::from_secs(latency), Ok(ok.clone())))
    };
    assert_eq!(send(&seconds(9), request("http://a")).await, Ok(ok.clone()));
    let late = send(&seconds(11), request("http://a/secret")).await;
    assert_eq!(late, Err(Trouble::Unavailable("http://a: no answer within 10s".into())));
}
