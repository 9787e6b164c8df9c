use super::*;
use serde_json::json;

fn order(name: &str, phase: &str, checksum: &str) -> Order {
    let body =
        json!({"name": name, "namespace": "shop", "phase": phase, "checksum": checksum, "metadata": {"script": "x"}});
    Order::read(body.to_string().as_bytes()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_failure_holds_the_same_test_for_its_time_and_does_not_slide() {
    let mut pauses = Pauses::default();
    let begin = Instant::now();
    let at = |secs| begin + Duration::from_secs(secs);
    let failed = order("checkout", "Progressing", "one");
    assert!(!pauses.holds(&failed, begin));
    pauses.failed(&failed, begin);
    for (secs, held) in [(0, true), (60, true), (119, true), (120, false)] {
        assert_eq!(pauses.holds(&failed, at(secs)), held, "{secs}");
    }
    // The delay is that of the request which asks.
    let mut patient = failed.clone();
    patient.failure_delay = Duration::from_mins(5);
    assert!(pauses.holds(&patient, at(200)));
    patient.failure_delay = Duration::ZERO;
    assert!(!pauses.holds(&patient, at(0)));
}

#[tokio::test(start_paused = true)]
async fn others_are_not_held() {
    let mut pauses = Pauses::default();
    let now = Instant::now();
    pauses.failed(&order("checkout", "Progressing", "one"), now);
    assert!(
        !pauses.holds(&order("checkout", "Waiting", "one"), now),
        "another phase"
    );
    assert!(
        !pauses.holds(&order("other", "Progressing", "one"), now),
        "another canary"
    );
    assert!(
        pauses.holds(&order("checkout", "Progressing", ""), now),
        "no checksum clears nothing"
    );
    assert!(
        !pauses.holds(&order("checkout", "Progressing", "two"), now),
        "a mended revision is tested"
    );
    assert!(
        !pauses.holds(&order("checkout", "Progressing", "one"), now),
        "and the failure is forgotten"
    );
}

#[tokio::test(start_paused = true)]
async fn failures_are_not_remembered_without_end() {
    let mut pauses = Pauses::default();
    let mut now = Instant::now();
    for number in 0..FAILURES_MAX + 5 {
        now += Duration::from_millis(1);
        pauses.failed(&order(&number.to_string(), "Progressing", ""), now);
    }
    assert_eq!(pauses.count(), FAILURES_MAX);
}

#[test]
fn retry_after_is_never_nonsense() {
    let secs = |list: &[u64]| retry_after_secs(list.iter().map(|secs| Duration::from_secs(*secs)));
    for (durations, wanted) in [
        (&[][..], 60),
        (&[0], 1),
        (&[30, 20, 40], 30),
        (&[100_000], 300),
        (&[10, 0, 0, 0, 10], 1),
    ] {
        assert_eq!(secs(durations), wanted, "{durations:?}");
    }
}
