use super::{Instant, MADE_UP_MAX, next, pace};
use std::time::Duration;

#[test]
fn short_delays_are_made_up_for_and_long_ones_are_not() {
    let (due, pause) = (Instant::now(), Duration::from_millis(10));
    assert_eq!(next(due, due, pause), due + pause);
    assert_eq!(next(due, due + Duration::from_millis(200), pause), due + pause);
    let late = due + Duration::from_mins(1);
    assert_eq!(next(due, late, pause), late.checked_sub(MADE_UP_MAX).unwrap());
}

#[test]
fn the_pace_gives_each_check_its_requests_up_to_a_bound() {
    let table = [(6_000, 15_000), (4_000, 10_000), (1_000, 5_000)];
    for (check, pause) in table {
        assert_eq!(pace(Duration::from_millis(check)), Duration::from_micros(pause));
    }
}
