use super::*;

fn answer(status: u16) -> Response {
    Response {
        status,
        body: String::new(),
        retry_after: None,
    }
}

#[test]
fn retries_what_may_get_better() {
    let cases = [
        (Ok(answer(200)), false),
        (Ok(answer(404)), false),
        (Ok(answer(429)), true),
        (Ok(answer(500)), true),
        (Ok(answer(501)), false),
        (Ok(answer(503)), true),
        (Err(Trouble::Unavailable("reset".into())), true),
        (Err(Trouble::Refused("bad certificate".into())), false),
    ];
    for (result, expected) in cases {
        assert_eq!(should_retry(&result), expected, "{result:?}");
    }
}

#[test]
fn pauses_double_up_to_half_a_minute() {
    let seconds: Vec<u64> = (1..=7).map(|attempt| pause(attempt, None).as_secs()).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(pause(u32::MAX, None), PAUSE_LONGEST);
}

#[test]
fn a_server_may_ask_for_up_to_a_minute() {
    assert_eq!(pause(1, Some("7")).as_secs(), 7);
    assert_eq!(pause(1, Some(" 0 ")).as_secs(), 0);
    assert_eq!(pause(1, Some("86400")), RETRY_AFTER_LONGEST);
    assert_eq!(pause(2, Some("Fri, 31 Dec 1999 23:59:59 GMT")).as_secs(), 2);
}
