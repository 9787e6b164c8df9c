use super::*;
use engine::invariants::runs::backs_off;
use jiff::Timestamp;

const POLICY: Policy = Policy {
    first: Duration::from_millis(100),
    longest: Duration::from_secs(1),
    attempts: 7,
};

fn pauses(seed: u64) -> Vec<Duration> {
    Backoff::new(POLICY, &World::single(Timestamp::UNIX_EPOCH, seed)).collect()
}

#[tokio::test(start_paused = true)]
async fn grows_up_to_the_longest_and_ends_with_the_attempts() {
    let full = [100, 200, 400, 800, 1000, 1000];
    let pauses = pauses(1);
    assert_eq!(backs_off(&pauses, &POLICY), None);
    assert_eq!(pauses.len(), full.len());
    for (pause, full) in pauses.iter().zip(full.map(Duration::from_millis)) {
        assert!(
            *pause <= full && *pause >= full.mul_f64(1.0 - JITTER),
            "{pause:?} of {full:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn same_seed_same_pauses() {
    assert_eq!(pauses(7), pauses(7));
    assert_ne!(pauses(7), pauses(8));
}

#[tokio::test(start_paused = true)]
async fn reset_begins_anew() {
    let mut backoff = Backoff::new(POLICY, &World::single(Timestamp::UNIX_EPOCH, 1));
    assert_eq!(backoff.by_ref().count(), 6);
    assert_eq!(backoff.next(), None);
    backoff.reset();
    assert!(backoff.next().is_some_and(|pause| pause <= POLICY.first));
}

#[tokio::test(start_paused = true)]
async fn one_attempt_has_no_pause() {
    let once = Policy { attempts: 1, ..POLICY };
    assert_eq!(
        Backoff::new(once, &World::single(Timestamp::UNIX_EPOCH, 1)).next(),
        None
    );
}
