//! The metrics server: Prometheus' query API over what the applications have counted.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Bytes, Data},
};
use actors::world::World;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use url::form_urlencoded;

use super::{
    ledger::{Ledger, Pod},
    promql::{self, Failure, Point, Value, store::Store},
};

/// The server's state.
pub(super) struct Metrics {
    world: World,
    ledger: Ledger,
    store: Mutex<Store>,
}

// === impl Metrics ===

impl Metrics {
    /// Nothing is scraped yet.
    pub(super) fn new(world: World, ledger: Ledger) -> Self {
        Self {
            world,
            ledger,
            store: Mutex::default(),
        }
    }

    /// Take a sample of the counters of these servers.
    pub(super) fn scrape(&self, pods: &[Pod]) {
        let now = self.world.now().as_millisecond();
        self.ledger.scrape(pods, &mut self.store.lock(), now);
    }

    /// The answer to a query, and its HTTP status. Times are those of Unix, in seconds.
    fn answer(&self, query: &str, time: Option<f64>) -> (u16, Json) {
        let now = time.map_or_else(|| self.world.now().as_millisecond(), |time| (time * 1000.0) as i64);
        let at = now as f64 / 1000.0;
        let failed = |status: u16, kind: &str, failure: &Failure| {
            let body = json!({ "status": "error", "errorType": kind, "error": failure.to_string() });
            (status, body)
        };
        match promql::evaluate(query, &self.store.lock(), now) {
            Ok(Value::Scalar(value)) => (200, success("scalar", &json!([at, number(value)]))),
            Ok(Value::Vector(points)) => {
                let points: Vec<Json> = points.iter().map(|point| element(point, at)).collect();
                (200, success("vector", &json!(points)))
            }
            Err(failure @ Failure::Syntax(_)) => failed(400, "bad_data", &failure),
            Err(failure @ Failure::Execution(_)) => failed(422, "execution", &failure),
        }
    }
}

fn success(kind: &str, result: &Json) -> Json {
    json!({ "status": "success", "data": { "resultType": kind, "result": result } })
}

fn element(point: &Point, at: f64) -> Json {
    json!({ "metric": point.labels, "value": [at, number(point.value)] })
}

fn number(value: f64) -> String {
    match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

/// Serve one request: GET, or POST with a form.
pub(super) async fn serve(request: HttpRequest, body: Bytes, metrics: Data<Metrics>) -> HttpResponse {
    if request.path() != "/api/v1/query" {
        return HttpResponse::NotFound().body("only /api/v1/query is served");
    }
    let asked = form_urlencoded::parse(request.query_string().as_bytes()).chain(form_urlencoded::parse(&body));
    let (mut query, mut time) = (String::new(), None);
    for (name, value) in asked {
        match name.as_ref() {
            "query" => query = value.into_owned(),
            "time" => time = value.parse().ok(),
            _ => {}
        }
    }
    let (status, answer) = metrics.answer(&query, time);
    let status = actix_web::http::StatusCode::from_u16(status);
    HttpResponse::build(status.unwrap_or(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR)).json(answer)
}
