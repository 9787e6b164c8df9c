use super::*;
use crate::{
    companion::program::{Farewell, Program},
    loadtester::order::Order,
};
use proptest::prelude::*;

const LIMITS: Limits = Limits { running: 2, queued: 3 };

fn ask(name: &str, command: &str, checksum: &str, background: bool) -> Ask {
    Ask {
        key: Key {
            canary: Canary {
                namespace: "test".into(),
                name: name.into(),
            },
            kind: if background { Kind::Cmd } else { Kind::Bash },
            subject: command.into(),
        },
        checksum: checksum.into(),
        order: Order::Program(Program {
            words: vec![command.into()],
            environment: None,
            farewell: Farewell {
                interrupt: false,
                grace: Duration::ZERO,
            },
        }),
        shown: command.into(),
        background,
        log_output: false,
        return_output: false,
        interval: None,
    }
}

fn id(admission: Admission) -> u64 {
    match admission {
        Admission::New(task) | Admission::Joined(task) => task.id,
        Admission::Full(_) => panic!("it is full"),
    }
}

fn cause(task: &Task) -> String {
    let outcome = task.done.borrow();
    outcome
        .as_ref()
        .map(|outcome| outcome.cause.clone())
        .unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn the_same_command_runs_once_at_a_time() {
    let mut ledger = Ledger::new(LIMITS);
    let now = Instant::now();
    let first = id(ledger.admit(ask("a", "hey", "", true), now));
    assert!(matches!(ledger.admit(ask("a", "hey", "", true), now), Admission::Joined(task) if task.id == first));
    assert_eq!(ledger.begin(now).len(), 1);
    assert!(matches!(
        ledger.admit(ask("a", "hey", "", true), now),
        Admission::Joined(_)
    ));
    // Another command, another canary: other tasks.
    assert!(matches!(
        ledger.admit(ask("a", "ghz", "", true), now),
        Admission::New(_)
    ));
    assert!(matches!(
        ledger.admit(ask("b", "hey", "", true), now),
        Admission::New(_)
    ));
    ledger.finish(first, Outcome::succeeded(), now);
    assert!(matches!(ledger.admit(ask("a", "hey", "", true), now), Admission::New(task) if task.id != first));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_when_to_come_back() {
    let mut ledger = Ledger::new(LIMITS);
    let now = Instant::now();
    for command in ["a", "b", "c"] {
        assert!(matches!(
            ledger.admit(ask("x", command, "", true), now),
            Admission::New(_)
        ));
    }
    let Admission::Full(after) = ledger.admit(ask("x", "d", "", true), now) else {
        panic!("it took a fourth")
    };
    assert_eq!(after, Duration::from_secs(1));
    // Tasks that are waited for have places of their own.
    assert!(matches!(ledger.admit(ask("x", "d", "", false), now), Admission::New(_)));
    // What runs already is joined, however full it is.
    assert!(matches!(
        ledger.admit(ask("x", "a", "", true), now),
        Admission::Joined(_)
    ));

    let later = now + Duration::from_mins(10);
    for task in ledger.begin(now) {
        ledger.finish(task.id, Outcome::succeeded(), later);
    }
    for command in ["e", "f"] {
        id(ledger.admit(ask("x", command, "", true), later));
    }
    let Admission::Full(after) = ledger.admit(ask("x", "g", "", true), later) else {
        panic!("it took one more")
    };
    assert_eq!(after, RETRY_AFTER_MAX, "never longer than that");
}

#[tokio::test(start_paused = true)]
async fn another_checksum_stops_what_runs_for_the_old_one() {
    let mut ledger = Ledger::new(Limits { running: 1, queued: 3 });
    let now = Instant::now();
    let old = ask("a", "hey", "one", true);
    let running = id(ledger.admit(old.clone(), now));
    let queued = id(ledger.admit(ask("a", "ghz", "one", true), now));
    let other = id(ledger.admit(ask("b", "hey", "one", true), now));
    ledger.begin(now);
    // By hand, without a checksum: nothing is stopped.
    id(ledger.admit(ask("a", "hey", "", true), now));
    assert_eq!(ledger.entry(running).unwrap().task.stop.is_pulled(), None);

    let new = id(ledger.admit(ask("a", "hey", "two", true), now));
    assert_ne!(new, running, "the old one is stopped and not joined");
    assert_eq!(
        ledger.entry(running).unwrap().task.stop.is_pulled(),
        Some(Why::NewRevision)
    );
    assert_eq!(
        cause(&ledger.entry(queued).unwrap().task),
        "stopped: the canary has a new revision"
    );
    assert_eq!(ledger.entry(other).unwrap().state, State::Queued, "another canary's");
}

#[tokio::test(start_paused = true)]
async fn three_intervals_without_a_call_stop_a_background_task() {
    let mut ledger = Ledger::new(LIMITS);
    let begin = Instant::now();
    let secs = |secs| begin + Duration::from_secs(secs);
    let learned = id(ledger.admit(ask("a", "hey", "", true), begin));
    let once = id(ledger.admit(ask("b", "hey", "", true), begin));
    let told = {
        let mut ask = ask("c", "hey", "", true);
        ask.interval = Some(Duration::from_secs(20));
        id(ledger.admit(ask, begin))
    };
    let waited = id(ledger.admit(ask("a", "bats", "", false), begin));
    ledger.begin(begin);
    // A retry half a second later is no interval.
    id(ledger.admit(ask("a", "hey", "", true), begin + Duration::from_millis(500)));
    id(ledger.admit(ask("a", "hey", "", true), secs(30)));
    let mut pulled = |at| {
        ledger.stop_idle(secs(at));
        [learned, once, told, waited].map(|id| ledger.entry(id).unwrap().task.stop.is_pulled())
    };
    assert_eq!(pulled(60), [None; 4]);
    assert_eq!(pulled(61), [None, None, None, None], "the third waits for a place");
    assert_eq!(pulled(120), [None; 4]);
    assert_eq!(
        pulled(121),
        [Some(Why::Idle), None, None, None],
        "30 s, three times, after the last call at 30"
    );
    let told = ledger.entry(told).unwrap();
    assert_eq!(cause(&told.task), "stopped: nobody asked for it for three intervals");
}

#[tokio::test(start_paused = true)]
async fn the_last_client_that_goes_stops_what_it_waited_for() {
    let mut ledger = Ledger::new(LIMITS);
    let now = Instant::now();
    let task = id(ledger.admit(ask("a", "bats", "", false), now));
    ledger.begin(now);
    assert_eq!(id(ledger.admit(ask("a", "bats", "", false), now)), task);
    ledger.leave(task, now);
    assert_eq!(ledger.entry(task).unwrap().task.stop.is_pulled(), None);
    ledger.leave(task, now);
    assert_eq!(ledger.entry(task).unwrap().task.stop.is_pulled(), Some(Why::Abandoned));
    // Who comes now starts it anew.
    assert_ne!(id(ledger.admit(ask("a", "bats", "", false), now)), task);
}

#[tokio::test(start_paused = true)]
async fn a_closed_ledger_takes_nothing() {
    let mut ledger = Ledger::new(LIMITS);
    let now = Instant::now();
    let running = id(ledger.admit(ask("a", "hey", "", true), now));
    ledger.begin(now);
    ledger.close(now);
    assert_eq!(
        ledger.entry(running).unwrap().task.stop.is_pulled(),
        Some(Why::Shutdown)
    );
    assert!(matches!(
        ledger.admit(ask("a", "ghz", "", true), now),
        Admission::Full(_)
    ));
}

proptest! {
    /// Whatever happens in whatever order: never more run or wait than may, what is kept is bounded, and once all have ended the
    /// ledger is as free as in the beginning.
    #[test]
    fn places_are_never_lost_and_never_exceeded(steps in prop::collection::vec((0..6_u8, 0..5_u8, 0..3_u8, any::<bool>()), 1..300)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut ledger = Ledger::new(LIMITS);
            let mut now = Instant::now();
            let mut known: Vec<u64> = Vec::new();
            for (step, what, revision, background) in steps {
                let some = known.get(usize::from(what) * known.len() / 5).copied().unwrap_or(0);
                match step {
                    0 | 1 => {
                        let ask = ask(&format!("canary-{}", what % 2), &format!("cmd-{what}"), &revision.to_string(), background);
                        if let Admission::New(task) | Admission::Joined(task) = ledger.admit(ask, now) {
                            known.push(task.id);
                        }
                    }
                    2 => ledger.finish(some, Outcome::succeeded(), now),
                    3 => ledger.leave(some, now),
                    4 => drop(ledger.stop(some, Why::ByHand, now)),
                    _ => ledger.stop_idle(now),
                }
                ledger.begin(now);
                now += Duration::from_secs(u64::from(what));
                for background in [true, false] {
                    prop_assert!(ledger.count(State::Running, background) <= LIMITS.running);
                    prop_assert!(ledger.count(State::Queued, background) <= LIMITS.queued);
                }
                prop_assert!(ledger.entries.len() <= KEPT_MAX + 2 * (LIMITS.running + LIMITS.queued));
            }
            for id in ledger.entries.keys().copied().collect::<Vec<_>>() {
                ledger.finish(id, Outcome::succeeded(), now);
            }
            prop_assert_eq!(ledger.active(), 0);
            for command in ["x", "y"] {
                prop_assert!(matches!(ledger.admit(ask("free", command, "", true), now), Admission::New(_)));
            }
            prop_assert_eq!(ledger.begin(now).len(), LIMITS.running);
            Ok(())
        })?;
    }
}
