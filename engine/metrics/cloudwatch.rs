//! Amazon CloudWatch: `GetMetricData` in the query protocol, answered in XML (analysis.md 4.3).
//!
//! The newest point of the first result is taken. `address` in place of the region's own endpoint is ours (AN-27); the peer ignores it.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Reading,
    answer::{self, nothing, numeral},
    aws,
    provider::{BadProvider, Inquiry, Provider, TIMEOUT},
    question::{Access, Question},
    xml::Element,
};
use crate::http::{self, Address, Method, Request, Response};

/// The entry in the table of providers.
pub const PROVIDER: Provider = Provider {
    kind: "cloudwatch",
    request,
    probe,
    parse,
    probed,
};

/// Version of the API.
const VERSION: &str = "2010-08-01";
/// Points that are asked for; one is used.
const POINTS_MAX: &str = "20";
/// Intervals in the window.
const WINDOW: u32 = 10;
/// The fields of a query, and of what it holds. As with the peer their case does not matter, and others are left out.
const FIELDS: [&str; 15] = [
    "Id",
    "Expression",
    "Label",
    "MetricStat",
    "ReturnData",
    "Period",
    "AccountId",
    "Metric",
    "Stat",
    "Unit",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Name",
    "Value",
];

fn request(inquiry: &Inquiry<'_>) -> Result<Question, BadProvider> {
    let unreadable =
        |cause: String| BadProvider::Query(format!("the query must be a JSON list of metric data queries: {cause}"));
    let queries: Value = serde_json::from_str(inquiry.query).map_err(|error| unreadable(error.to_string()))?;
    if queries.as_array().is_none_or(Vec::is_empty) {
        return Err(unreadable("it is none, or empty".to_owned()));
    }
    let (from, to) = inquiry.window(WINDOW)?;
    let mut members = Vec::new();
    flatten("MetricDataQueries", &queries, &mut members);
    ask(inquiry, from, to, &members)
}

fn probe(inquiry: &Inquiry<'_>) -> Result<Question, BadProvider> {
    ask(inquiry, Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, &[])
}

fn ask(
    inquiry: &Inquiry<'_>,
    from: Timestamp,
    to: Timestamp,
    members: &[(String, String)],
) -> Result<Question, BadProvider> {
    let region = aws::region(inquiry.spec.region.as_deref(), PROVIDER.kind)?;
    let endpoint = format!("https://monitoring.{region}.{}/", aws::domain(&region));
    let address = Address::parse(inquiry.address().unwrap_or(&endpoint))?;
    let keys = match inquiry.secret()? {
        Some(secret) => aws::keys(secret)?,
        None => None,
    };
    let access = aws::signing(&address.url, region, "monitoring", keys)?;
    let second = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "GetMetricData")
        .append_pair("Version", VERSION);
    form.append_pair("StartTime", &second(from))
        .append_pair("EndTime", &second(to));
    form.append_pair("MaxDatapoints", POINTS_MAX).extend_pairs(members);
    Ok(Question {
        request: Request {
            method: Method::Post,
            url: address.url.into(),
            headers: vec![(
                "Content-Type".to_owned(),
                "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
            )],
            body: form.finish(),
            timeout: TIMEOUT,
            skip_tls_verify: false,
            proxy: None,
        },
        access: Access::Aws(access),
    })
}

/// JSON as the query protocol spells it: `a.member.1.b=…`.
fn flatten(name: &str, value: &Value, members: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                flatten(&format!("{name}.member.{}", index + 1), item, members);
            }
        }
        Value::Object(map) => {
            for (key, value) in map {
                if let Some(field) = FIELDS.iter().find(|field| field.eq_ignore_ascii_case(key)) {
                    flatten(&format!("{name}.{field}"), value, members);
                }
            }
        }
        Value::String(text) => members.push((name.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => members.push((name.to_owned(), value.to_string())),
    }
}

fn parse(response: &Response) -> Reading {
    let Some(root) = Element::parse(&response.body) else {
        let cause = answer::refused(response).err();
        let no_xml = || Reading::Failed(format!("the answer is no XML: {}", http::excerpt(&response.body)));
        return cause.unwrap_or_else(no_xml);
    };
    if response.status >= 300 || root.child("Error").is_some() {
        return Reading::Failed(answer::refusal(response, &error_text(&root, &response.body)));
    }
    let Some(results) = root.at(&["GetMetricDataResult", "MetricDataResults"]) else {
        return Reading::Failed("the answer has no results".to_owned());
    };
    let Some(first) = results.child("member") else {
        return nothing();
    };
    let list = |name: &str| first.child(name).map_or(&[][..], |list| list.children.as_slice());
    let times = list("Timestamps");
    // The newest comes first unless the times say otherwise.
    let points = list("Values").iter().enumerate().map(|(index, value)| {
        let time = times
            .get(index)
            .and_then(|time| time.trimmed().parse::<Timestamp>().ok());
        let at = time.map_or(-answer::place(index), |time| time.as_second() as f64);
        (at, numeral(value.trimmed()))
    });
    let reading = answer::newest(points);
    let status = first.child("StatusCode").map(Element::trimmed).unwrap_or_default();
    if matches!(reading, Reading::NoData(_)) && matches!(status, "InternalError" | "Forbidden") {
        let why = first
            .at(&["Messages", "member", "Value"])
            .map(Element::trimmed)
            .unwrap_or_default();
        return Reading::Failed(http::excerpt(&format!("error response: {status}: {why}")));
    }
    reading
}

fn error_text(root: &Element, body: &str) -> String {
    let Some(error) = root.child("Error") else {
        return body.to_owned();
    };
    let text = |name| error.child(name).map(Element::trimmed).unwrap_or_default();
    format!("{}: {}", text("Code"), text("Message"))
}

/// An empty query is refused by whoever has checked the signature (analysis.md 4.3).
fn probed(response: &Response) -> Result<(), String> {
    if response.status == 400 {
        Ok(())
    } else {
        answer::online(response)
    }
}

#[cfg(test)]
mod tests;
