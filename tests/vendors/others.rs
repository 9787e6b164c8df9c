//! The vendors whose credentials are a header.

use engine::http::{Method, basic};
use serde_json::{Value, json};

use super::{Asked, Complaint, GOOGLE_TOKEN, Vendor, window};

pub(super) static VENDORS: [Vendor; 10] = [
    Vendor {
        name: "prometheus/not-found-percentage",
        value: 1.5,
        question: |asked| prometheus(asked, "namespace=\"test\", workload=\"podinfo\"}[1m]))", "1.5"),
        probe: |asked| prometheus(asked, "vector(1)", "1").map(good),
    },
    Vendor {
        name: "datadog/not-found-percentage",
        value: 7.0,
        question: datadog,
        probe: |asked| {
            asked.is(Method::Get, "https://api.datadoghq.com/api/v1/validate")?;
            datadog_keys(asked)?;
            asked.parameters(&[])?;
            Ok(good(json!({"valid": true}).to_string()))
        },
    },
    Vendor {
        name: "newrelic/error-rate",
        value: 3.2,
        question: |asked| {
            newrelic(
                asked,
                "FROM Metric WHERE ingress = 'podinfo' AND namespace = 'test'\n SINCE 60 seconds ago",
            )
        },
        probe: |asked| newrelic(asked, "SELECT * FROM Metric SINCE 60 seconds ago").map(good),
    },
    Vendor {
        name: "graphite/success-rate",
        value: 99.5,
        question: |asked| graphite(asked, &["format", "from", "target"]),
        probe: |asked| graphite(asked, &["format", "target"]).map(good),
    },
    Vendor {
        name: "stackdriver/bytes-sent",
        value: 12.5,
        question: |asked| {
            let query = stackdriver(asked)?;
            if !query.contains("'podinfo-canary'") || !query.starts_with("fetch k8s_container\n") {
                return Err(query);
            }
            let points =
                json!([{"values": [{"doubleValue": 12.5}], "timeInterval": {"endTime": "2023-11-14T22:13:00Z"}}]);
            Ok(json!({"timeSeriesDescriptor": {}, "timeSeriesData": [{"pointData": points}]}).to_string())
        },
        probe: |asked| match stackdriver(asked)?.as_str() {
            "" => Ok((
                400,
                json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "empty"}}).to_string(),
            )),
            query => Err(query.to_owned()),
        },
    },
    Vendor {
        name: "influxdb/errors",
        value: 4.0,
        question: |asked| influxdb(asked, "r[\"destination_workload\"] == \"podinfo\""),
        probe: |asked| influxdb(asked, "limit(n: 1)").map(good),
    },
    Vendor {
        name: "dynatrace/response-time-95pct",
        value: 87.5,
        question: dynatrace,
        probe: |asked| {
            asked.is(Method::Get, "https://xxxxxxxx.live.dynatrace.com/api/v2/metrics")?;
            asked.headers(&[("Authorization", "Api-Token s3cret-token")])?;
            asked.parameters(&["pageSize"])?;
            Ok(good(json!({"totalCount": 1, "metrics": []}).to_string()))
        },
    },
    Vendor {
        name: "splunk/errors",
        value: 21.5,
        question: splunk,
        probe: |asked| {
            asked.is(Method::Get, "https://api.eu0.signalfx.com/v2/metric")?;
            asked.headers(&[("X-SF-Token", "s3cret-token")])?;
            asked.parameters(&["limit"])?;
            Ok(good(json!({"results": [], "count": 0}).to_string()))
        },
    },
    Vendor {
        name: "keptn/response-time",
        value: 0.75,
        question: |asked| {
            let path = "/apis/metrics.keptn.sh/v1beta1/namespaces/test/keptnmetrics/response-time";
            asked.is(Method::Get, &format!("https://kubernetes.default.svc{path}"))?;
            Ok(json!({"kind": "KeptnMetric", "status": {"value": "0.75"}}).to_string())
        },
        probe: |asked| {
            asked.is(
                Method::Get,
                "https://kubernetes.default.svc/apis/metrics.keptn.sh/v1beta1",
            )?;
            Ok(good(json!({"kind": "APIResourceList"}).to_string()))
        },
    },
    Vendor {
        name: "externalmetrics/queue-depth",
        value: 2.5,
        question: |asked| {
            external(asked, "/namespaces/test/queue-depth")?;
            let selector = asked.parameters(&["labelSelector"])?;
            if selector != ["app=podinfo"] {
                return Err(format!("{selector:?}"));
            }
            let item = json!({"metricName": "queue-depth", "metricLabels": {}, "timestamp": "2023-11-14T22:13:00Z", "value": "2500m"});
            Ok(json!({"kind": "ExternalMetricValueList", "apiVersion": "external.metrics.k8s.io/v1beta1", "items": [item]}).to_string())
        },
        probe: |asked| {
            external(asked, "")?;
            Ok(good(json!({"kind": "APIResourceList"}).to_string()))
        },
    },
];

fn good(body: String) -> (u16, String) {
    (200, body)
}

fn prometheus(asked: &Asked, part: &str, value: &str) -> Result<String, Complaint> {
    asked.is(Method::Get, "https://prometheus.monitoring:9090/base/api/v1/query")?;
    asked.headers(&[
        ("X-Scope-OrgID", "tenant-a"),
        ("Authorization", &basic("reader", "s3cret-word")),
    ])?;
    asked.has_no_body()?;
    let query = asked.parameters(&["query"])?;
    if !query[0].contains(part) || query[0].contains('\n') {
        return Err(query[0].clone());
    }
    let result = json!([{"metric": {}, "value": [1_700_000_000.1, value]}]);
    Ok(json!({"status": "success", "data": {"resultType": "vector", "result": result}}).to_string())
}

fn datadog_keys(asked: &Asked) -> Result<(), Complaint> {
    asked.headers(&[
        ("DD-API-KEY", "s3cret-api"),
        ("DD-APPLICATION-KEY", "s3cret-application"),
    ])
}

fn datadog(asked: &Asked) -> Result<String, Complaint> {
    asked.is(Method::Get, "https://api.datadoghq.com/api/v1/query")?;
    datadog_keys(asked)?;
    let values = asked.parameters(&["from", "to", "query"])?;
    window(&values[0], &values[1], 1, 600)?;
    if values[2] != "sum:istio.mesh.request.count{destination_workload:podinfo,!response_code:404}.as_count()" {
        return Err(values[2].clone());
    }
    let series = json!({"metric": "istio.mesh.request.count", "interval": 60, "pointlist": [
        [1_699_999_860_000_i64, 1.5], [1_699_999_920_000_i64, 7.0], [1_699_999_980_000_i64, 3.0],
    ]});
    Ok(
        json!({"status": "ok", "res_type": "time_series", "to_date": 1_700_000_000_000_i64, "series": [series]})
            .to_string(),
    )
}

fn newrelic(asked: &Asked, end: &str) -> Result<String, Complaint> {
    asked.is(Method::Get, "https://insights-api.newrelic.com/v1/accounts/42/query")?;
    asked.headers(&[("X-Query-Key", "s3cret-key")])?;
    let nrql = asked.parameters(&["nrql"])?;
    if !nrql[0].ends_with(end) {
        return Err(nrql[0].clone());
    }
    Ok(json!({"results": [{"result": 3.2}], "performanceStats": {"inspectedCount": 1}}).to_string())
}

fn graphite(asked: &Asked, names: &[&str]) -> Result<String, Complaint> {
    asked.is(Method::Get, "http://graphite.monitoring/render")?;
    asked.headers(&[("Authorization", &basic("reader", "s3cret-word"))])?;
    let values = asked.parameters(names)?;
    let target = values.last().map(String::as_str).unwrap_or_default();
    let is_good = target == "test"
        || target.contains("stats.app.podinfo.{SUCCESS,REDIRECTION}.count") && target.contains("'1m', 'avg'");
    if values[0] != "json" || !is_good {
        return Err(format!("{values:?}"));
    }
    let points = json!([[98.0, 1_699_999_940], [99.5, 1_699_999_950], [null, 1_699_999_960]]);
    Ok(json!([{"target": target, "datapoints": points}]).to_string())
}

fn stackdriver(asked: &Asked) -> Result<String, Complaint> {
    asked.is(
        Method::Post,
        "https://monitoring.googleapis.com/v3/projects/project-1/timeSeries:query",
    )?;
    let bearer = format!("Bearer {GOOGLE_TOKEN}");
    asked.headers(&[("Content-Type", "application/json"), ("Authorization", &bearer)])?;
    let body: Value = serde_json::from_str(&asked.request.body).map_err(|error| error.to_string())?;
    match body.as_object().map(serde_json::Map::len) {
        Some(1) => body["query"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| body.to_string()),
        _ => Err(body.to_string()),
    }
}

fn influxdb(asked: &Asked, part: &str) -> Result<String, Complaint> {
    asked.is(Method::Post, "http://influxdb.monitoring:8086/api/v2/query")?;
    asked.headers(&[
        ("Authorization", "Token s3cret-token"),
        ("Content-Type", "application/json"),
        ("Accept", "application/csv"),
    ])?;
    let org = asked.parameters(&["org"])?;
    let body: Value = serde_json::from_str(&asked.request.body).map_err(|error| error.to_string())?;
    let query = body["query"].as_str().unwrap_or_default();
    let dialect = json!({"annotations": ["datatype", "group", "default"], "delimiter": ",", "header": true});
    if org != ["acme"] || body["type"] != "flux" || body["dialect"] != dialect || !query.contains(part) {
        return Err(body.to_string());
    }
    let head = "#datatype,string,long,dateTime:RFC3339,long\r\n#group,false,false,false,false\r\n#default,_result,,,\r\n,result,table,_time,_value\r\n";
    Ok(format!(
        "{head},,0,2023-11-14T22:12:00Z,3\r\n,,0,2023-11-14T22:13:00Z,4\r\n\r\n"
    ))
}

fn dynatrace(asked: &Asked) -> Result<String, Complaint> {
    asked.is(Method::Get, "https://xxxxxxxx.live.dynatrace.com/api/v2/metrics/query")?;
    asked.headers(&[("Authorization", "Api-Token s3cret-token")])?;
    let values = asked.parameters(&["from", "to", "resolution", "metricSelector"])?;
    window(&values[0], &values[1], 1000, 600)?;
    let selector =
        "builtin:service.response.time:filter(eq(dt.entity.service,SERVICE-ABCDEFG0123456789)):percentile(95)";
    if values[2] != "Inf" || values[3] != selector {
        return Err(format!("{values:?}"));
    }
    let data = json!([{"dimensions": [], "dimensionMap": {}, "timestamps": [1_700_000_000_000_i64], "values": [87.5]}]);
    Ok(json!({"totalCount": 1, "nextPageKey": null, "resolution": "Inf", "result": [{"metricId": selector, "data": data}]}).to_string())
}

fn splunk(asked: &Asked) -> Result<String, Complaint> {
    asked.is(Method::Post, "https://stream.eu0.signalfx.com/v2/signalflow/execute")?;
    asked.headers(&[
        ("X-SF-Token", "s3cret-token"),
        ("Content-Type", "text/plain"),
        ("Accept", "text/event-stream"),
    ])?;
    let values = asked.parameters(&["start", "stop", "immediate"])?;
    window(&values[0], &values[1], 1000, 600)?;
    if values[2] != "true"
        || asked.request.body != "data('app.errors', filter=filter('app', 'podinfo')).sum().publish()"
    {
        return Err(asked.request.body.clone());
    }
    let events = [
        (
            "control-message",
            json!({"event": "STREAM_START", "timestampMs": 1_699_999_999_000_i64}),
        ),
        (
            "control-message",
            json!({"event": "JOB_START", "handle": "C1", "timestampMs": 1_699_999_999_000_i64}),
        ),
        (
            "metadata",
            json!({"tsId": "AAAAAO", "properties": {"sf_streamLabel": ""}}),
        ),
        (
            "data",
            json!({"data": [{"tsId": "AAAAAO", "value": 20.0}], "logicalTimestampMs": 1_699_999_980_000_i64}),
        ),
        (
            "data",
            json!({"data": [{"tsId": "AAAAAO", "value": 21.5}], "logicalTimestampMs": 1_699_999_990_000_i64}),
        ),
        (
            "control-message",
            json!({"event": "END_OF_CHANNEL", "timestampMs": 1_700_000_000_000_i64}),
        ),
    ];
    let events = events.map(|(kind, data)| format!("event: {kind}\ndata: {data}\n\n"));
    Ok(events.concat())
}

fn external(asked: &Asked, path: &str) -> Result<(), Complaint> {
    let api = "https://adapter.monitoring:6443/apis/external.metrics.k8s.io/v1beta1";
    asked.is(Method::Get, &format!("{api}{path}"))?;
    asked.headers(&[("Authorization", "Bearer s3cret-token")])?;
    asked.has_no_body()
}
