//! Amazon: STS, CloudWatch, the managed Prometheus.

use engine::{
    http::Method,
    metrics::aws::{Keys, Signing, sign},
};
use serde_json::json;

use super::{Asked, Complaint, Vendor, WEB_IDENTITY, exactly};

/// The role of the controller's service account.
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/aviary";
const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

pub(super) static VENDORS: [Vendor; 2] = [
    Vendor {
        name: "cloudwatch/error-rate",
        value: 0.4,
        question: metric_data,
        probe: empty_metric_data,
    },
    Vendor {
        name: "prometheus/managed-error-rate",
        value: 0.25,
        question: |asked| managed(asked, "sum(rate(errors_total{app=\"podinfo\"}[1m]))", "0.25"),
        probe: |asked| managed(asked, "vector(1)", "1").map(|body| (200, body)),
    },
];

/// AssumeRoleWithWebIdentity: unsigned, a form, the token without its line end.
pub(super) fn sts(asked: &Asked) -> Result<String, Complaint> {
    asked.is(Method::Post, "https://sts.ap-northeast-1.amazonaws.com/")?;
    asked.headers(&[("Content-Type", "application/x-www-form-urlencoded")])?;
    let names = ["Action", "Version", "RoleArn", "RoleSessionName", "WebIdentityToken"];
    let values = exactly(&form(&asked.request.body), &names)?;
    if values != ["AssumeRoleWithWebIdentity", "2011-06-15", ROLE, "aviary", WEB_IDENTITY] {
        return Err(format!("{values:?}"));
    }
    Ok("<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>\
        <Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey>\
        <SessionToken>role-session</SessionToken><Expiration>2023-11-14T23:13:20Z</Expiration></Credentials>\
        </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        .into())
}

fn role_keys() -> Keys {
    Keys {
        id: "ASIAROLE".into(),
        secret: "role-secret".into(),
        token: Some("role-session".into()),
    }
}

/// GetMetricData by the API reference: times, at most 100,800 points, ids of the documented form, one query that returns data.
fn metric_data(asked: &Asked) -> Result<String, Complaint> {
    cloudwatch(asked)?;
    let fields = form(&asked.request.body);
    let value = |name: &str| {
        let found = fields.iter().find(|(key, _)| key == name);
        found
            .map(|(_, value)| value.as_str())
            .ok_or_else(|| format!("{name} is missing"))
    };
    let times = [value("StartTime")?, value("EndTime")?];
    if times != ["2023-11-14T22:03:20Z", "2023-11-14T22:13:20Z"] {
        return Err(format!("{times:?}"));
    }
    let mut returning = 0;
    for number in 1..=3 {
        let of = |name: &str| format!("MetricDataQueries.member.{number}.{name}");
        let id = value(&of("Id"))?;
        let is_good = id.starts_with(|c: char| c.is_ascii_lowercase())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_good {
            return Err(format!("id {id}"));
        }
        if value(&of("ReturnData")) == Ok("false") {
            let dimension = value(&of("MetricStat.Metric.Dimensions.member.1.Value"))?;
            let period = value(&of("MetricStat.Period"))?;
            let stat = value(&of("MetricStat.Stat"))?;
            if (dimension, period, stat) != ("podinfo.test", "60", "Sum") {
                return Err(format!("{dimension} {period} {stat}"));
            }
        } else {
            returning += 1;
        }
    }
    if returning != 1 {
        return Err("one query returns data".into());
    }
    Ok("<GetMetricDataResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><GetMetricDataResult><MetricDataResults><member>\
        <Timestamps><member>2023-11-14T22:12:00Z</member><member>2023-11-14T22:11:00Z</member></Timestamps>\
        <Values><member>0.4</member><member>0.9</member></Values><Id>e1</Id><Label>ErrorRate</Label><StatusCode>Complete</StatusCode>\
        </member></MetricDataResults><Messages/></GetMetricDataResult></GetMetricDataResponse>"
        .into())
}

/// Without a query the API is reached and refuses.
fn empty_metric_data(asked: &Asked) -> Result<(u16, String), Complaint> {
    cloudwatch(asked)?;
    if asked.request.body.contains("MetricDataQueries") {
        return Err("it has queries".into());
    }
    let error = "<Error><Type>Sender</Type><Code>ValidationError</Code><Message>no queries</Message></Error>";
    Ok((400, format!("<ErrorResponse>{error}</ErrorResponse>")))
}

fn cloudwatch(asked: &Asked) -> Result<(), Complaint> {
    asked.is(Method::Post, "https://monitoring.ap-northeast-1.amazonaws.com/")?;
    if asked.header("Content-Type")? != FORM || asked.header("X-Amz-Security-Token")? != "role-session" {
        return Err("headers".into());
    }
    let fields = form(&asked.request.body);
    let has = |name: &str, value: &str| fields.iter().any(|(key, known)| key == name && known == value);
    if !has("Action", "GetMetricData") || !has("Version", "2010-08-01") || !has("MaxDatapoints", "20") {
        return Err(format!("{fields:?}"));
    }
    signed(
        asked,
        "ap-northeast-1",
        "monitoring",
        role_keys(),
        "content-type;host;x-amz-date;x-amz-security-token",
    )
}

fn managed(asked: &Asked, query: &str, value: &str) -> Result<String, Complaint> {
    asked.is(
        Method::Get,
        "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/query",
    )?;
    let asked_for = asked.parameters(&["query"])?;
    if asked_for != [query] {
        return Err(format!("{asked_for:?}"));
    }
    let keys = Keys {
        id: "AKIDEXAMPLE".into(),
        secret: "s3cret-word".into(),
        token: None,
    };
    signed(asked, "eu-west-1", "aps", keys, "host;x-amz-date")?;
    let sample = json!([{"metric": {}, "value": [1_700_000_000.0, value]}]);
    Ok(json!({"status": "success", "data": {"resultType": "vector", "result": sample}}).to_string())
}

/// What AWS does: take off the signature, sign what is left with the keys of that id, compare. The signer itself is checked against the
/// published suite in `engine/metrics/aws/tests.rs`.
fn signed(asked: &Asked, region: &str, service: &'static str, keys: Keys, names: &str) -> Result<(), Complaint> {
    if asked.url.query().is_some_and(|query| query.contains('+')) {
        return Err("AWS reads + as a plus".into());
    }
    let authorization = asked.header("Authorization")?;
    let scope = format!(
        "Credential={}/20231114/{region}/{service}/aws4_request, SignedHeaders={names}, Signature=",
        keys.id
    );
    if !authorization.contains(&scope) || asked.header("X-Amz-Date")? != "20231114T221320Z" {
        return Err(format!("{authorization} is not for {scope}"));
    }
    let mut bare = asked.request.clone();
    let added = ["Authorization", "X-Amz-Date", "X-Amz-Security-Token"];
    bare.headers.retain(|(name, _)| !added.contains(&name.as_str()));
    let signing = Signing {
        region: region.into(),
        service,
        keys: None,
    };
    let again = sign(&bare, &signing, &keys, "2023-11-14T22:13:20Z".parse().unwrap()).unwrap();
    if again.headers == asked.request.headers {
        Ok(())
    } else {
        Err("the signature does not match".into())
    }
}

fn form(body: &str) -> Vec<(String, String)> {
    let url = reqwest::Url::parse(&format!("http://form/?{body}")).unwrap();
    url.query_pairs().into_owned().collect()
}
