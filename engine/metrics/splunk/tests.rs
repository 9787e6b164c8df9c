use crate::{
    http::Method,
    metrics::{
        Reading,
        provider::{
            provider,
            tests::{Trial, answer, failed, header, no_values, ok, pairs},
        },
    },
};

const TOKEN: [(&str, &str); 1] = [("sf_token_key", "t0ken")];
const PROGRAM: &str = "data('app.errors', filter=filter('app', 'shop')).sum().publish()\n";

#[test]
fn both_documented_addresses_reach_both_parts_of_the_api() {
    for address in [
        "https://api.eu0.signalfx.com",
        "wss://stream.eu0.signalfx.com",
        "https://stream.eu0.signalfx.com/",
    ] {
        let trial = Trial::new("splunk", Some(address), PROGRAM).secret(&TOKEN);
        let question = trial.ask().unwrap();
        assert!(
            question
                .request
                .url
                .starts_with("https://stream.eu0.signalfx.com/v2/signalflow/execute?"),
            "{address}"
        );
        let expected = [
            ("start", "1699999400000"),
            ("stop", "1700000000000"),
            ("immediate", "true"),
        ];
        assert_eq!(
            pairs(&question.request.url),
            expected.map(|(key, value)| (key.into(), value.into()))
        );
        assert_eq!(
            (question.request.method, question.request.body.as_str()),
            (Method::Post, PROGRAM)
        );
        assert_eq!(
            (header(&question, "X-SF-Token"), header(&question, "Content-Type")),
            (Some("t0ken"), Some("text/plain"))
        );
        let probe = trial.probe().unwrap();
        assert_eq!(probe.request.url, "https://api.eu0.signalfx.com/v2/metric?limit=1");
        assert_eq!(header(&probe, "X-SF-Token"), Some("t0ken"));
    }
}

fn stream(events: &[(&str, &str)]) -> String {
    let event = |(kind, data): &(&str, &str)| format!("event: {kind}\ndata: {data}\n\n");
    events.iter().map(event).collect()
}

const BEGIN: (&str, &str) = (
    "control-message",
    "{\"event\": \"STREAM_START\", \"timestampMs\": 1461353197000}",
);
const END: (&str, &str) = (
    "control-message",
    "{\"event\": \"END_OF_CHANNEL\", \"timestampMs\": 1461353199000}",
);
const META: (&str, &str) = (
    "metadata",
    "{\"tsId\": \"AAAAAO\", \"properties\": {\"sf_metric\": \"app.errors\"}}",
);

#[test]
fn event_streams_are_classified() {
    let parse = provider("splunk").unwrap().parse;
    let data = |text: &'static str| ("data", text);
    let old = data("{\"data\": [{\"tsId\": \"AAAAAO\", \"value\": 20.0}], \"logicalTimestampMs\": 1461353197000}");
    let new = data("{\"data\": [{\"tsId\": \"AAAAAO\", \"value\": 21.5}], \"logicalTimestampMs\": 1461353198000}");
    let nan = data("{\"data\": [{\"tsId\": \"AAAAAO\", \"value\": \"NaN\"}], \"logicalTimestampMs\": 1461353198000}");
    let two = data(
        "{\"data\": [{\"tsId\": \"a\", \"value\": 1}, {\"tsId\": \"b\", \"value\": 2}], \"logicalTimestampMs\": 1}",
    );
    let odd = data("{\"data\": [{\"tsId\": \"a\", \"value\": {}}], \"logicalTimestampMs\": 1}");
    let error = (
        "error",
        "{\"errorType\": \"ANALYTICS_PROGRAM_NAME_ERROR\", \"message\": \"unknown name\"}",
    );
    let abort = (
        "control-message",
        "{\"event\": \"CHANNEL_ABORT\", \"abortInfo\": {\"sf_job_abortReason\": \"limit\"}}",
    );
    let cases = [
        (stream(&[BEGIN, META, old, new, END]), Reading::Value(21.5)),
        (stream(&[BEGIN, META, new, old, END]), Reading::Value(21.5)),
        (stream(&[BEGIN, old, nan, END]), Reading::Value(20.0)),
        (stream(&[BEGIN, nan, END]), no_values()),
        (stream(&[BEGIN, END]), no_values()),
        (stream(&[two, END]), failed("multiple values returned: the program gives 2 series")),
        (stream(&[odd, END]), failed("an object is no number")),
        (stream(&[error]), failed("error response: ANALYTICS_PROGRAM_NAME_ERROR unknown name")),
        (stream(&[abort]), failed("error response: the computation was aborted: {\"sf_job_abortReason\":\"limit\"}")),
        ("event: data\ndata: {\ndata:  \"data\": [{\"tsId\": \"a\", \"value\": 3}],\ndata:  \"logicalTimestampMs\": 1}\n\n".to_owned() + &stream(&[END]), Reading::Value(3.0)),
    ];
    for (body, expected) in cases {
        assert_eq!(parse(&ok(&body)), expected, "{body}");
        assert_eq!(parse(&ok(body.replace('\n', "\r\n"))), expected);
    }
    for cut in [stream(&[BEGIN, new]), "event: data\ndata: {\"data\": [{".into()] {
        assert!(matches!(parse(&ok(&cut)), Reading::Failed(_)), "{cut}");
    }
    assert!(matches!(parse(&answer(401, "")), Reading::Failed(_)));
}
