use super::{
    Keys, Signing, keys, region, sign, signing,
    tokens::{container, container_request, web_identity, web_identity_request},
};
use crate::{
    http::{Method, Request, Response},
    metrics::provider::BadProvider,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;

fn request(method: Method, url: &str, headers: &[(&str, &str)], body: &str) -> Request {
    Request {
        method,
        url: url.into(),
        headers: headers
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        body: body.into(),
        timeout: Duration::from_secs(5),
        skip_tls_verify: false,
        proxy: None,
    }
}

fn example(token: Option<&str>) -> Keys {
    Keys {
        id: "AKIDEXAMPLE".into(),
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        token: token.map(String::from),
    }
}

fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    let found = request.headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str()).unwrap_or_default()
}

/// Name, request, session token, signed headers, signature.
type Vector = (&'static str, Request, Option<&'static str>, &'static str, &'static str);

/// Of the suite that AWS publishes for signers (aws-signing-test-suite): 2015-08-30T12:36:00Z, us-east-1, service `service`.
fn suite() -> Vec<Vector> {
    let at = "https://example.amazonaws.com";
    let get = |path: &str| request(Method::Get, &format!("{at}{path}"), &[], "");
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    let hash = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
    let odd = [("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")];
    let form = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Length", "13"),
        ("x-amz-content-sha256", hash),
    ];
    let plain = "host;x-amz-date";
    let unreserved = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    vec![
        (
            "get-vanilla",
            get("/"),
            None,
            plain,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "get-vanilla-query-order-key-case",
            get("/?Param2=value2&Param1=value1"),
            None,
            plain,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "get-vanilla-utf8-query",
            get("/?ሴ=bar"),
            None,
            plain,
            "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
        ),
        (
            "get-unreserved",
            get(unreserved),
            None,
            plain,
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        (
            "get-header-value-trim",
            request(Method::Get, "https://example.amazonaws.com/", &odd, ""),
            None,
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "get-vanilla-with-session-token",
            get("/"),
            Some(token),
            "host;x-amz-date;x-amz-security-token",
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
        (
            "post-x-www-form-urlencoded",
            request(Method::Post, "https://example.amazonaws.com/", &form, "Param1=value1"),
            None,
            "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
            "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
        ),
    ]
}

#[test]
fn signatures_are_those_of_the_published_suite() {
    let signing = Signing {
        region: "us-east-1".into(),
        service: "service",
        keys: None,
    };
    let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
    for (name, request, token, names, signature) in suite() {
        let signed = sign(&request, &signing, &example(token), now).unwrap();
        let credential = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
        let expected =
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}");
        assert_eq!(header(&signed, "Authorization"), expected, "{name}");
        assert_eq!(header(&signed, "X-Amz-Date"), "20150830T123600Z");
        assert_eq!(header(&signed, "X-Amz-Security-Token"), token.unwrap_or_default());
    }
}

#[test]
fn what_is_sent_is_what_is_signed() {
    let asked = request(
        Method::Get,
        "https://aps-workspaces.eu-west-1.amazonaws.com/w/api/v1/query?query=a+%2B+b",
        &[],
        "",
    );
    let signing = Signing {
        region: "eu-west-1".into(),
        service: "aps",
        keys: None,
    };
    let signed = sign(&asked, &signing, &example(None), Timestamp::UNIX_EPOCH).unwrap();
    assert!(
        signed.url.ends_with("/w/api/v1/query?query=a%20%2B%20b"),
        "{}",
        signed.url
    );
}

#[test]
fn own_credentials_go_to_aws_only() {
    let parse = |url: &str| url::Url::parse(url).unwrap();
    let ask = |url: &str, keys| signing(&parse(url), "eu-west-1".into(), "aps", keys);
    assert!(ask("https://aps-workspaces.eu-west-1.amazonaws.com/", None).is_ok());
    assert!(ask("https://collector.example.com/", Some(example(None))).is_ok());
    for url in [
        "https://collector.example.com/",
        "https://amazonaws.com.example.com/",
        "https://xamazonaws.com/",
    ] {
        assert!(matches!(ask(url, None), Err(BadProvider::Ambient(_))), "{url}");
    }
    for text in [None, Some(""), Some("eu west"), Some("a.example.com/"), Some("EU")] {
        assert!(region(text, "cloudwatch").is_err(), "{text:?}");
    }
    assert_eq!(
        region(Some("ap-northeast-1"), "cloudwatch"),
        Ok("ap-northeast-1".into())
    );
    assert_eq!(
        format!("{:?}", example(Some("t0ken"))),
        "Keys { id: \"AKIDEXAMPLE\", .. }"
    );
}

#[test]
fn credentials_come_from_the_secret() {
    let full = json!({"data": {"aws_access_key_id": "aWQ=", "aws_secret_access_key": "c2VjcmV0", "aws_session_token": "dA=="}});
    let expected = Keys {
        id: "id".into(),
        secret: "secret".into(),
        token: Some("t".into()),
    };
    assert_eq!(keys(&full), Ok(Some(expected)));
    assert_eq!(keys(&json!({"data": {}})), Ok(None));
    assert!(keys(&json!({"data": {"aws_access_key_id": "aWQ="}})).is_err());
}

/// The sample answer of AWS's reference of AssumeRoleWithWebIdentity, shortened.
const ASSUMED: &str = r#"<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Provider>www.amazon.com</Provider><Credentials>
<SessionToken>AQoDYXdzEE0a8ANXXXXXXXXNO1ewxE5TijQyp+IEXAMPLE</SessionToken>
<SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>
<Expiration>2014-10-24T23:00:23Z</Expiration><AccessKeyId>ASgeIAIOSFODNN7EXAMPLE</AccessKeyId>
</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"#;

#[test]
fn roles_and_agents_give_temporary_credentials() {
    let asked = web_identity_request("eu-west-1", "arn:aws:iam::1:role/r", "jwt\n");
    assert_eq!(asked.url, "https://sts.eu-west-1.amazonaws.com/");
    let body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=aviary\
                &WebIdentityToken=jwt";
    assert_eq!(asked.body, body);
    assert_eq!(
        web_identity_request("cn-north-1", "r", "t").url,
        "https://sts.cn-north-1.amazonaws.com.cn/"
    );
    let answer = |status, body: &str| Response {
        status,
        body: body.into(),
        retry_after: None,
    };
    let granted = web_identity(&answer(200, ASSUMED)).unwrap();
    assert_eq!(granted.keys.id, "ASgeIAIOSFODNN7EXAMPLE");
    assert_eq!(granted.ends, Some("2014-10-24T23:00:23Z".parse().unwrap()));
    let error = "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>Token expired</Message></Error></ErrorResponse>";
    assert_eq!(
        web_identity(&answer(400, error)),
        Err("ExpiredTokenException: Token expired".into())
    );
    assert!(web_identity(&answer(200, "<html>")).is_err());

    let agent = container_request("http://169.254.170.23/v1/credentials", Some("t0ken\n"));
    assert_eq!(agent.headers, [("Authorization".into(), "t0ken".into())]);
    let body = json!({"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c", "Expiration": "2030-01-01T00:00:00Z"});
    assert_eq!(
        container(&answer(200, &body.to_string())).unwrap().keys.token,
        Some("c".into())
    );
    let secret = container(&answer(500, "{\"SecretAccessKey\": \"b\"}")).unwrap_err();
    assert!(!secret.contains('{'), "{secret}");
}

proptest! {
    #[test]
    fn no_answer_breaks_the_readers(body in "\\PC{0,80}", status in 100_u16..600) {
        let answer = Response { status, body, retry_after: None };
        let _ = (web_identity(&answer), container(&answer));
    }
}
