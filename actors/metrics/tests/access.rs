//! What the pool adds to a question: signatures, tokens, the way to the API server.

use super::super::*;
use crate::{
    cluster::{fake::Fake, unguarded},
    testing::{get, simulate},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use engine::metrics::{aws, google::ServiceAccount, provider};
use jiff::Timestamp;
use ring::signature::{self, KeyPair};
use serde_json::{Value, json};

const KEY: &str = include_str!("key.pem");
const STS: &str = "https://sts.eu-west-1.amazonaws.com/";
const MONITORING: &str = "https://monitoring.eu-west-1.amazonaws.com/";

type Heard = Arc<Mutex<Vec<Request>>>;

/// A world outside: `answer` gives status and body; requests are kept.
fn outside(answer: impl Fn(&Request, usize) -> (u16, String) + Send + Sync + 'static) -> (Outbound, Heard) {
    let heard = Heard::default();
    let log = heard.clone();
    let outbound = crate::outbound::scripted(move |request| {
        let mut log = log.lock();
        log.push(request.clone());
        let (status, body) = answer(request, log.len());
        let response = Response {
            status,
            body,
            retry_after: None,
        };
        (Duration::from_millis(10), Ok(response))
    });
    (outbound, heard)
}

fn header(request: &Request, name: &str) -> String {
    let found = request.headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

fn reach(ambient: Ambient, cluster: Option<Cluster>) -> Reach {
    Reach { ambient, cluster }
}

fn signed_question(keys: Option<aws::Keys>) -> Question {
    Question {
        request: Request {
            method: Method::Post,
            body: "Action=GetMetricData".into(),
            ..get(MONITORING)
        },
        access: Access::Aws(aws::Signing {
            region: "eu-west-1".into(),
            service: "monitoring",
            keys,
        }),
    }
}

fn keys(id: &str, token: Option<&str>) -> aws::Keys {
    aws::Keys {
        id: id.into(),
        secret: "secret".into(),
        token: token.map(String::from),
    }
}

fn granted(id: &str, ends: &str) -> String {
    let credentials = format!(
        "<AccessKeyId>{id}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken><Expiration>{ends}</Expiration>"
    );
    format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>{credentials}</Credentials>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
}

#[test]
fn the_environment_is_read_as_the_sdks_read_it() {
    let vars = |name: &str| {
        let value = match name {
            "AWS_ACCESS_KEY_ID" => "id",
            "AWS_SECRET_ACCESS_KEY" => "s3cret",
            "AWS_ROLE_ARN" => "arn",
            "AWS_WEB_IDENTITY_TOKEN_FILE" => "/var/run/token",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" => "/v2/x",
            "GOOGLE_APPLICATION_CREDENTIALS" => "/key.json",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let ambient = Ambient::from_lookup(vars);
    assert_eq!(ambient.aws_keys.as_ref().map(|keys| keys.id.as_str()), Some("id"));
    assert_eq!(ambient.aws_role, Some(("arn".into(), "/var/run/token".into())));
    assert_eq!(ambient.aws_agent, Some(("http://169.254.170.2/v2/x".into(), None)));
    assert_eq!(ambient.google_key_file, Some("/key.json".into()));
    assert!(!format!("{ambient:?}").contains("s3cret"));
    assert_eq!(Ambient::from_lookup(|_| Some(String::new())), Ambient::default());
}

#[test]
fn requests_are_signed_when_they_are_sent() {
    simulate(|world| async move {
        let (outbound, heard) = outside(|_, _| (200, String::new()));
        let ambient = Ambient {
            aws_keys: Some(keys("ambient", None)),
            ..Ambient::default()
        };
        let mail = start_with(&world, &outbound, reach(ambient, None));
        tokio::time::sleep(Duration::from_hours(1)).await;
        for own in [None, Some(keys("own", None))] {
            mail.send(Query(signed_question(own))).await.unwrap().unwrap();
        }
        let heard = heard.lock();
        for (request, id) in heard.iter().zip(["ambient", "own"]) {
            assert_eq!(
                header(request, "X-Amz-Date"),
                "19700101T010000Z",
                "signed at the time of sending"
            );
            let scope = format!("AWS4-HMAC-SHA256 Credential={id}/19700101/eu-west-1/monitoring/aws4_request, ");
            assert!(header(request, "Authorization").starts_with(&scope), "{id}");
        }
    });
}

#[test]
fn a_role_is_assumed_once_and_again_when_it_ends() {
    let file = std::env::temp_dir().join(format!("aviary-token-{}", std::process::id()));
    std::fs::write(&file, "jwt\n").unwrap();
    let ambient = Ambient {
        aws_role: Some(("arn:aws:iam::1:role/r".into(), file.display().to_string())),
        ..Ambient::default()
    };
    simulate(|world| async move {
        let (outbound, heard) = outside(|request, nth| match request.url.as_str() {
            STS if nth == 1 => (200, granted("first", "1970-01-01T01:00:00Z")),
            STS => (200, granted("second", "1970-01-01T02:00:00Z")),
            _ => (200, "<ok/>".into()),
        });
        let mail = start_with(&world, &outbound, reach(ambient, None));
        let ask = || mail.send(Query(signed_question(None)));
        ask().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_mins(58)).await;
        ask().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_mins(2)).await;
        ask().await.unwrap().unwrap();
        let heard = heard.lock();
        let urls: Vec<&str> = heard.iter().map(|request| request.url.as_str()).collect();
        assert_eq!(urls, [STS, MONITORING, MONITORING, STS, MONITORING]);
        assert!(
            heard[0].body.contains("WebIdentityToken=jwt") && heard[0].body.ends_with("jwt"),
            "{}",
            heard[0].body
        );
        for (request, id) in [(&heard[1], "first"), (&heard[2], "first"), (&heard[4], "second")] {
            assert!(header(request, "Authorization").contains(&format!("Credential={id}/")));
            assert_eq!(header(request, "X-Amz-Security-Token"), "session");
        }
    });
    std::fs::remove_file(file).unwrap();
}

#[test]
fn without_credentials_nothing_is_sent() {
    simulate(|world| async move {
        let (outbound, heard) = outside(|_, _| (200, String::new()));
        let mail = start(&world, &outbound);
        let refused = mail.send(Query(signed_question(None))).await.unwrap();
        assert!(matches!(refused, Err(Trouble::Refused(text)) if text.contains("no credentials for AWS")));
        let cluster = Question {
            request: get("https://kubernetes.default.svc/apis/x"),
            access: Access::Cluster,
        };
        let refused = mail.send(Query(cluster)).await.unwrap();
        assert!(matches!(refused, Err(Trouble::Refused(_))));
        assert!(heard.lock().is_empty());
    });
}

fn google_question(account: Option<ServiceAccount>) -> Question {
    Question {
        request: get("https://monitoring.googleapis.com/v3/projects/p/timeSeries:query"),
        access: Access::Google(account),
    }
}

fn account() -> ServiceAccount {
    let key = json!({
        "client_email": "a@p.iam.gserviceaccount.com", "private_key_id": "k1", "private_key": KEY,
        "token_uri": "https://oauth2.googleapis.com/token",
    });
    ServiceAccount::parse(&key.to_string()).unwrap()
}

/// What Google checks: form, claims, and the signature by the account's public key.
fn check_assertion(request: &Request) {
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let assertion = request.body.strip_prefix(grant).unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let pair = signature::RsaKeyPair::from_pkcs8(&account().key).unwrap();
    let public = signature::UnparsedPublicKey::new(&signature::RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
    let claims = URL_SAFE_NO_PAD.decode(signed.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iss"], "a@p.iam.gserviceaccount.com");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
}

#[test]
fn a_service_account_gets_a_token_first() {
    simulate(|world| async move {
        let (outbound, heard) = outside(|request, nth| {
            if request.url.contains("oauth2") {
                return (
                    200,
                    json!({"access_token": format!("t{nth}"), "expires_in": 3600}).to_string(),
                );
            }
            // The second token is withdrawn at once.
            let status = if header(request, "Authorization") == "Bearer t4" {
                401
            } else {
                200
            };
            (status, "{}".into())
        });
        let mail = start(&world, &outbound);
        let ask = || mail.send(Query(google_question(Some(account()))));
        let (first, second) = futures::join!(ask(), ask());
        assert_eq!(first.unwrap().unwrap().status + second.unwrap().unwrap().status, 400);
        ask().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert_eq!(ask().await.unwrap().unwrap().status, 401);
        ask().await.unwrap().unwrap();
        let heard = heard.lock();
        let sent: Vec<String> = heard.iter().map(|request| header(request, "Authorization")).collect();
        assert_eq!(sent, ["", "Bearer t1", "Bearer t1", "", "Bearer t4", "", "Bearer t6"]);
        check_assertion(&heard[0]);
    });
}

#[test]
fn the_own_identity_asks_the_metadata_server() {
    simulate(|world| async move {
        let (outbound, heard) =
            outside(
                |request, _| match request.url.starts_with("http://metadata.google.internal/") {
                    true => (200, json!({"access_token": "own", "expires_in": 3600}).to_string()),
                    false => (200, "{}".into()),
                },
            );
        let mail = start(&world, &outbound);
        mail.send(Query(google_question(None))).await.unwrap().unwrap();
        let heard = heard.lock();
        assert_eq!(header(&heard[0], "Metadata-Flavor"), "Google");
        assert_eq!(header(&heard[1], "Authorization"), "Bearer own");
    });
}

fn cluster(fake: &Fake, world: &World) -> Cluster {
    let (guard, tally) = unguarded();
    Cluster::new(fake.client(), world.clone(), guard, tally)
}

#[test]
fn the_api_server_answers_with_its_own_status() {
    simulate(|world| async move {
        let fake = Fake::default();
        let path = "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue-depth";
        fake.put(
            path,
            json!({"kind": "ExternalMetricValueList", "items": [{"value": "2500m"}]}),
        );
        let (outbound, heard) = outside(|_, _| (500, String::new()));
        let mail = start_with(
            &world,
            &outbound,
            reach(Ambient::default(), Some(cluster(&fake, &world))),
        );
        let ask = |path: &str| {
            mail.send(Query(Question {
                request: get(&format!("https://kubernetes.default.svc{path}")),
                access: Access::Cluster,
            }))
        };
        let parse = provider::provider("externalmetrics").unwrap().parse;
        let answer = ask(path).await.unwrap().unwrap();
        assert_eq!(parse(&answer), engine::metrics::Reading::Value(2.5));
        assert_eq!(ask("/apis/none").await.unwrap().unwrap().status, 404);
        assert!(heard.lock().is_empty(), "nothing leaves the cluster");
    });
}

const ANALYSES: &str = "/apis/metrics.keptn.sh/v1beta1/namespaces/prod/analyses";

/// The only analysis there is, by its path.
fn made(fake: &Fake) -> Option<String> {
    let log = fake.log();
    let read = log
        .iter()
        .find_map(|line| line.strip_prefix(&format!("GET {ANALYSES}/")));
    read.map(|name| format!("{ANALYSES}/{name}"))
}

#[test]
fn an_analysis_is_made_judged_and_deleted() {
    for (judged, expected) in [(true, Ok(1.0)), (false, Err("is not completed after 10 s"))] {
        simulate(|world| async move {
            let fake = Fake::default();
            let (outbound, _) = outside(|_, _| (500, String::new()));
            let mail = start_with(
                &world,
                &outbound,
                reach(Ambient::default(), Some(cluster(&fake, &world))),
            );
            let spec = crds::metric_template::Provider {
                kind: "keptn".into(),
                ..Default::default()
            };
            let inquiry = provider::Inquiry {
                spec: &spec,
                secret: None,
                query: "analysis/prod/checkout/5m/svc=Cart",
                interval: "1m",
                now: Timestamp::UNIX_EPOCH,
            };
            let keptn = provider::provider("keptn").unwrap();
            let asking = mail.send(Query((keptn.request)(&inquiry).unwrap()));
            let judging = async {
                tokio::time::sleep(Duration::from_millis(2500)).await;
                let path = made(&fake).unwrap();
                if judged {
                    let mut object = fake.object(&path).unwrap();
                    assert_eq!(object["spec"]["args"], json!({"svc": "Cart"}));
                    object["status"] = json!({"state": "Completed", "pass": true});
                    fake.put(&path, object);
                }
                path
            };
            let (answer, path) = futures::join!(asking, judging);
            match (answer.unwrap(), expected) {
                (Ok(response), Ok(value)) => {
                    assert_eq!((keptn.parse)(&response), engine::metrics::Reading::Value(value));
                }
                (Err(trouble), Err(text)) => assert!(trouble.to_string().contains(text), "{trouble}"),
                (other, _) => panic!("{other:?}"),
            }
            assert_eq!(fake.object(&path), None, "it is deleted");
        });
    }
}
