//! As much of gRPC as a health check and a unary call need: one frame there, one frame back, and a status in the trailers.

use http::HeaderMap;

/// Path of the standard health check.
pub(super) const HEALTH: &str = "/grpc.health.v1.Health/Check";
/// `SERVING` in the standard health answer.
const SERVING: u64 = 1;
/// Names of the status codes, in order.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// A message in its frame: not compressed, length in four bytes.
pub(super) fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let mut frame = vec![0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// A `HealthCheckRequest`: field 1 is the service; an empty one asks for the whole server.
pub(super) fn health_request(service: &str) -> Vec<u8> {
    if service.is_empty() {
        return Vec::new();
    }
    let mut message = vec![0x0a];
    let mut length = service.len();
    while length >= 0x80 {
        message.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(service.as_bytes());
    message
}

/// The status of an answer, from its trailers, or from its headers where there is no message.
pub(super) fn code(headers: &HeaderMap, trailers: Option<&HeaderMap>) -> String {
    let status = trailers
        .and_then(|trailers| trailers.get("grpc-status"))
        .or_else(|| headers.get("grpc-status"));
    let Some(status) = status.and_then(|status| status.to_str().ok()) else {
        return "no grpc-status".to_owned();
    };
    let name = status.parse().ok().and_then(|number: usize| CODES.get(number).copied());
    name.map_or_else(|| format!("code {status}"), String::from)
}

/// Whether a `HealthCheckResponse` says `SERVING`: field 1 is the status.
pub(super) fn is_serving(body: &[u8]) -> bool {
    matches!(body.get(5..), Some([0x08, status, ..]) if u64::from(*status) == SERVING)
}
