//! Every example of docs/metric-providers/, asked through the pool of queries at a double of its vendor.
//!
//! A double checks method, host, path, parameters, headers, signature and body as strictly as the vendor documents them, and answers with
//! the documented example; or it answers as vendors do on a bad day.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

mod vendors;

use actors::{
    cluster::{Cluster, unguarded},
    metrics::{Ambient, Query, Reach, start_with},
    outbound::{self, Outbound},
    world::World,
};
use crds::{Canary, MetricTemplate, analysis::Metric};
use engine::{
    http::{BODY_BYTES_MAX, Response},
    metrics::{
        Model, Reading,
        provider::{Inquiry, Provider, provider},
        render,
    },
    seam::Trouble,
};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde_json::{Value, json};
use std::{future::Future, path::PathBuf, time::Duration};
use vendors::{Vendor, vendor};

const PAGES: &str = concat!(
    include_str!("../docs/metric-providers/prometheus.md"),
    include_str!("../docs/metric-providers/datadog.md"),
    include_str!("../docs/metric-providers/cloudwatch.md"),
    include_str!("../docs/metric-providers/newrelic.md"),
    include_str!("../docs/metric-providers/graphite.md"),
    include_str!("../docs/metric-providers/stackdriver.md"),
    include_str!("../docs/metric-providers/influxdb.md"),
    include_str!("../docs/metric-providers/dynatrace.md"),
    include_str!("../docs/metric-providers/splunk.md"),
    include_str!("../docs/metric-providers/keptn.md"),
    include_str!("../docs/metric-providers/externalmetrics.md"),
);
/// When everything is asked.
const NOW: &str = "2023-11-14T22:13:20Z";
/// Stands in all secrets of the page.
const SECRET: &str = "s3cret";

/// One example of the page.
#[derive(Clone)]
struct Example {
    template: MetricTemplate,
    secret: Option<Value>,
}

/// What came of asking.
#[derive(Debug)]
struct Outcome {
    reading: Reading,
    probe: Result<(), String>,
}

#[test]
fn every_example_of_the_page_is_asked_as_its_vendor_documents() {
    let mut kinds = Vec::new();
    for example in examples() {
        let vendor = vendor(example.name());
        let outcome = ask(&example, vendor.outbound(), vendor);
        assert_eq!(outcome.reading, Reading::Value(vendor.value), "{}", example.name());
        assert_eq!(outcome.probe, Ok(()), "{}", example.name());
        kinds.push(example.template.spec.provider.kind.clone());
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), 11, "the page has an example of each provider: {kinds:?}");
}

#[test]
fn doubles_refuse_what_is_not_as_documented() {
    for example in examples() {
        let vendor = vendor(example.name());
        let refuse = outbound::scripted(move |request| {
            let mut request = request.clone();
            request.headers.retain(|(name, _)| name == "Content-Type");
            request.url = request.url.replace("/api", "/other").replace("/render", "/other");
            (Duration::ZERO, Ok(vendor.answer(&request)))
        });
        if example.is_in_cluster() {
            continue; // nothing goes through HTTP
        }
        let outcome = ask(&example, refuse, vendor);
        assert!(
            matches!(outcome.reading, Reading::Failed(_)),
            "{}: {outcome:?}",
            example.name()
        );
    }
}

#[test]
fn a_bad_day_of_the_vendor_is_a_provider_error_and_shows_no_secret() {
    let status = |status: u16, body: &str| {
        Ok(Response {
            status,
            body: body.to_owned(),
            retry_after: (status == 429).then(|| "1".to_owned()),
        })
    };
    let bad_days: Vec<Result<Response, Trouble>> = vec![
        status(401, "{\"message\": \"bad credentials\"}"),
        status(403, "forbidden"),
        status(429, "Too many requests"),
        status(500, ""),
        status(503, "<html>maintenance</html>"),
        status(302, ""),
        status(200, "<!DOCTYPE html><html><head><title>Sign in</title></head></html>"),
        status(200, "{\"a\":"),
        status(200, &"x".repeat(BODY_BYTES_MAX)),
        Err(Trouble::Unavailable("https://vendor: connection refused".into())),
        Err(Trouble::Unavailable("https://vendor: no answer within 5s".into())),
        Err(Trouble::Refused(
            "https://vendor: invalid peer certificate: Expired".into(),
        )),
    ];
    for example in examples().into_iter().filter(|example| !example.is_in_cluster()) {
        for day in &bad_days {
            let answer = day.clone();
            let outcome = ask(
                &example,
                outbound::scripted(move |_| (Duration::ZERO, answer.clone())),
                vendor(example.name()),
            );
            let Reading::Failed(cause) = &outcome.reading else {
                panic!("{} {day:?}: {outcome:?}", example.name());
            };
            assert!(
                cause.chars().count() < 500 && !cause.contains(SECRET),
                "{}: {cause}",
                example.name()
            );
        }
    }
}

#[test]
fn half_an_answer_gives_no_value() {
    for example in examples().into_iter().filter(|example| !example.is_in_cluster()) {
        let vendor = vendor(example.name());
        let half = outbound::scripted(move |request| {
            let mut answer = vendor.answer(request);
            if answer.status == 200 && !vendors::is_for_a_token(request) {
                answer.body.truncate(answer.body.len() / 2);
            }
            (Duration::ZERO, Ok(answer))
        });
        let outcome = ask(&example, half, vendor);
        assert!(
            !matches!(outcome.reading, Reading::Value(_)),
            "{}: {outcome:?}",
            example.name()
        );
    }
}

/// Ask for the value and for the probe, each in a pool of its own.
fn ask(example: &Example, outbound: Outbound, vendor: &'static Vendor) -> Outcome {
    let token = token_file();
    let ambient = Ambient {
        aws_role: Some((vendors::ROLE.to_owned(), token.display().to_string())),
        ..Ambient::default()
    };
    let outcome = simulate(|world| async move {
        let provider = provider(&example.template.spec.provider.kind).unwrap();
        let mut answers = Vec::new();
        for make in [provider.request, provider.probe] {
            let (guard, tally) = unguarded();
            let reach = Reach {
                ambient: ambient.clone(),
                cluster: Some(Cluster::new(vendor.api_server(), world.clone(), guard, tally)),
            };
            let mail = start_with(&world, &outbound, reach);
            let query = example.query();
            let question = make(&example.inquiry(&query, world.now())).unwrap();
            answers.push(mail.send(Query(question)).await.unwrap());
        }
        let probe = provider.online(&answers[1]);
        read(provider, &answers[0], probe)
    });
    std::fs::remove_file(token).ok(); // another test of this process may have been faster
    outcome
}

fn read(provider: &Provider, answer: &Result<Response, Trouble>, probe: Result<(), String>) -> Outcome {
    Outcome {
        reading: provider.read(answer),
        probe,
    }
}

/// The token of the controller's service account, for AWS.
fn token_file() -> PathBuf {
    let thread = format!("{:?}", std::thread::current().id());
    let name: String = thread.chars().filter(char::is_ascii_alphanumeric).collect();
    let file = std::env::temp_dir().join(format!("aviary-providers-{}-{name}", std::process::id()));
    std::fs::write(&file, vendors::WEB_IDENTITY).unwrap();
    file
}

fn simulate<T, F: Future<Output = T>>(test: impl FnOnce(World) -> F) -> T {
    let system = actix::System::with_tokio_rt(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    });
    system.block_on(async { test(World::single(NOW.parse().unwrap(), 1)).await })
}

/// The YAML blocks of the page: a template, and the Secret that it needs.
fn examples() -> Vec<Example> {
    let blocks = PAGES.split("```yaml\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    let found = blocks.map(|block| {
        let documents: Vec<Value> = serde_saphyr::from_multiple(block).unwrap();
        let of = |kind: &str| documents.iter().find(|document| document["kind"] == kind);
        Example {
            template: crds::decode::decode(of("MetricTemplate").unwrap()).unwrap(),
            secret: of("Secret").map(stored),
        }
    });
    found.collect()
}

/// The Secret as the API server stores it.
fn stored(secret: &Value) -> Value {
    let entries = secret["stringData"].as_object().unwrap().iter();
    let data: serde_json::Map<String, Value> = entries
        .map(|(key, text)| {
            let bytes = ByteString(text.as_str().unwrap().as_bytes().to_vec());
            (key.clone(), serde_json::to_value(bytes).unwrap())
        })
        .collect();
    json!({"metadata": secret["metadata"], "data": data})
}

// === impl Example ===

impl Example {
    /// Kind and name of the template: what the doubles are known by.
    fn name(&self) -> &'static str {
        let kind = self.template.spec.provider.kind.as_str();
        let name = self.template.metadata.name.as_deref().unwrap();
        vendors::names()
            .find(|known| *known == format!("{kind}/{name}"))
            .unwrap_or_else(|| panic!("no double for {kind}/{name}"))
    }

    fn is_in_cluster(&self) -> bool {
        self.template.spec.provider.kind == "keptn"
    }

    fn query(&self) -> String {
        let mut canary = Canary::new("podinfo", crds::CanarySpec::default());
        canary.metadata.namespace = Some("test".into());
        canary.spec.target_ref.name = "podinfo".into();
        let metric = Metric {
            interval: Some("1m".into()),
            ..Metric::default()
        };
        render(&self.template.spec.query, &Model::of(&canary, &metric)).unwrap()
    }

    fn inquiry<'a>(&'a self, query: &'a str, now: Timestamp) -> Inquiry<'a> {
        Inquiry {
            spec: &self.template.spec.provider,
            secret: self.secret.as_ref(),
            query,
            interval: "1m",
            now,
        }
    }
}
