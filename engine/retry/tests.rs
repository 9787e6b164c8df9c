use super::{HOOK, pause, retries};
use crate::{http::Response, invariants::runs::backs_off, seam::Trouble};
use jiff::Timestamp;
use std::time::Duration;

fn answer(status: u16, retry_after: Option<&str>) -> Response {
    Response {
        status,
        body: String::new(),
        retry_after: retry_after.map(String::from),
    }
}

#[test]
fn only_what_may_get_better_is_repeated() {
    let cases = [
        (Ok(answer(200, None)), false),
        (Ok(answer(204, None)), false),
        (Ok(answer(400, None)), false),
        (Ok(answer(403, None)), false),
        (Ok(answer(429, None)), true),
        (Ok(answer(500, None)), true),
        (Ok(answer(501, None)), false),
        (Ok(answer(503, None)), true),
        (Err(Trouble::Unavailable("connection refused".into())), true),
        (Err(Trouble::Refused("certificate expired".into())), false),
    ];
    for (answer, expected) in cases {
        assert_eq!(retries(&answer), expected, "{answer:?}");
    }
}

#[test]
fn pauses_double_up_to_half_a_minute() {
    let seconds: Vec<u64> = (0..7)
        .map(|attempt| pause(attempt, &Ok(answer(500, None)), Timestamp::UNIX_EPOCH).as_secs())
        .collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(
        pause(u32::MAX, &Ok(answer(500, None)), Timestamp::UNIX_EPOCH),
        HOOK.longest
    );
    let worst: u64 = (0..HOOK.attempts - 1)
        .map(|attempt| pause(attempt, &Ok(answer(500, None)), Timestamp::UNIX_EPOCH).as_secs())
        .sum();
    assert_eq!(worst, 181);
    let pauses: Vec<Duration> = (0..HOOK.attempts - 1)
        .map(|attempt| pause(attempt, &Ok(answer(500, None)), Timestamp::UNIX_EPOCH))
        .collect();
    assert_eq!(backs_off(&pauses, &HOOK), None);
}

#[test]
fn retry_after_is_honoured_within_bounds() {
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let cases = [
        (503, "7", 7),
        (429, "0", 0),
        (503, "86400", 30),
        (500, "7", 1),
        (503, "Thu, 01 Jan 2026 00:00:12 GMT", 12),
        (503, "Wed, 31 Dec 2025 23:59:00 GMT", 0),
        (503, "soon", 1),
        (503, "-3", 1),
    ];
    for (status, header, seconds) in cases {
        let pause = pause(0, &Ok(answer(status, Some(header))), now);
        assert_eq!(pause, Duration::from_secs(seconds), "{status} {header}");
    }
}
