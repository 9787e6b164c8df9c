use super::*;
use proptest::prelude::*;
use serde_json::json;

fn order(name: &str, wait: bool) -> Order {
    let body = json!({
        "name": name, "namespace": "shop", "phase": "Progressing", "checksum": "one",
        "metadata": {"script": "x", "wait_for_results": wait, "min_failure_delay": "0"},
    });
    Order::read(body.to_string().as_bytes()).unwrap()
}

fn verdict(fate: Fate) -> Verdict {
    Verdict {
        fate,
        text: String::new(),
        exit_code: None,
        summary: Summary::default(),
    }
}

/// Runs that do what their name says: pass, fail, panic, or go on until they are stopped. Telling Slack takes a minute.
fn runs(max: usize) -> Runs {
    let world = World::threads(tokio::runtime::Handle::current(), Vec::new());
    let clock = world.clone();
    let launch: Launch = Arc::new(move |run| {
        let (work_clock, tell_clock) = (clock.clone(), clock.clone());
        let work = Box::pin(async move {
            match run.order.name.as_str() {
                "pass" => work_clock.sleep(Duration::from_secs(3)).await,
                "fail" => return verdict(Fate::ThresholdsCrossed),
                "panic" => panic!("this is the panic of the test"),
                _ => {
                    run.stop.clone().pulled().await;
                    return verdict(Fate::Stopped);
                }
            }
            verdict(Fate::Passed)
        });
        (
            work,
            Box::pin(async move { tell_clock.sleep(Duration::from_mins(1)).await }),
        )
    });
    Runs::new(world, max, launch)
}

fn start(runs: &Runs, name: &str, wait: bool) -> Result<Seat, u64> {
    let slot = runs.slot()?;
    Ok(runs.start(order(name, wait), BTreeMap::new(), slot))
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn every_end_gives_the_slot_back_before_it_is_told() {
    let runs = runs(1);
    for (name, fate) in [
        ("pass", Fate::Passed),
        ("fail", Fate::ThresholdsCrossed),
        ("panic", Fate::TestError),
    ] {
        let seat = start(&runs, name, true).ok().unwrap();
        assert_eq!(runs.slots(), (1, 0));
        assert_eq!(seat.verdict().await.fate, fate, "{name}");
        assert_eq!(runs.slots(), (1, 1), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_no_slot_too_many() {
    let runs = runs(2);
    let first = start(&runs, "hang", true).ok().unwrap();
    let _second = start(&runs, "hang", false).ok().unwrap();
    assert_eq!(
        start(&runs, "pass", true).err(),
        Some(60),
        "nothing has ended yet: a minute"
    );
    let run = first.run().clone();
    drop(first);
    settle().await;
    assert_eq!(
        run.verdict.borrow().as_ref().unwrap().1.fate,
        Fate::Stopped,
        "its client is gone"
    );
    assert!(start(&runs, "pass", true).is_ok());
    assert!(self::runs(0).slot().is_err(), "0 means none");
}

#[tokio::test(start_paused = true)]
async fn the_same_test_is_not_run_twice_at_a_time() {
    let runs = runs(5);
    let first = start(&runs, "hang", true).ok().unwrap();
    let second = runs.join(&order("hang", true)).unwrap();
    assert_eq!(first.run().id, second.run().id);
    assert!(runs.join(&order("pass", true)).is_none());
    let run = first.run().clone();
    drop(first);
    assert_eq!(run.stop.is_pulled(), None, "one of them still waits");
    drop(second);
    assert_eq!(run.stop.is_pulled(), Some(Why::Abandoned));
    assert!(
        runs.join(&order("hang", true)).is_none(),
        "one that is being stopped is no answer"
    );
    // A test in the background has nobody to share it with.
    let _background = start(&runs, "hang", false).ok().unwrap();
    assert!(runs.join(&order("hang", false)).is_none());
}

#[tokio::test(start_paused = true)]
async fn failures_pause_and_successes_do_not() {
    let runs = runs(2);
    let with_delay = |name| Order {
        failure_delay: Duration::from_mins(2),
        ..order(name, true)
    };
    for (name, paused) in [("pass", false), ("fail", true), ("panic", true)] {
        start(&runs, name, true).ok().unwrap().verdict().await;
        assert_eq!(runs.is_paused(&with_delay(name)), paused, "{name}");
    }
    // In the background, too (K6-5).
    let hang = start(&runs, "hang", false).ok().unwrap();
    hang.run().brake.pull(Why::ByHand);
    hang.verdict().await;
    assert!(runs.is_paused(&with_delay("hang")));
}

#[tokio::test(start_paused = true)]
async fn closing_stops_all_and_waits_for_what_is_told() {
    let runs = runs(3);
    let seat = start(&runs, "hang", true).ok().unwrap();
    let background = start(&runs, "hang", false).ok().unwrap().run().clone();
    let began = Instant::now();
    runs.close(Duration::from_mins(5)).await;
    assert_eq!(began.elapsed().as_secs(), 60, "Slack is told");
    assert_eq!(seat.verdict().await.fate, Fate::Stopped);
    assert_eq!(background.stop.is_pulled(), Some(Why::Shutdown));
    assert!(runs.slot().is_err(), "closed");
}

#[tokio::test(start_paused = true)]
async fn a_bounded_number_of_runs_is_kept() {
    let runs = runs(1);
    for _ in 0..KEPT_MAX + 20 {
        start(&runs, "fail", true).ok().unwrap().verdict().await;
    }
    let kept = runs.list();
    assert_eq!(kept.len(), KEPT_MAX);
    assert_eq!(kept[0].id, (KEPT_MAX + 20) as u64, "the newest first");
    assert!(runs.get(1).is_none());
}

proptest! {
    /// Whatever is started, fails, panics, is left or stopped, in whatever order: free slots and running tests are always all slots,
    /// and when all have ended every slot is free (K6-3, K6-4).
    #[test]
    fn slots_are_never_leaked_and_never_given_back_twice(
        max in 1..5_usize,
        steps in prop::collection::vec((0..8_u8, any::<bool>(), any::<prop::sample::Index>()), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let runs = runs(max);
            let mut seats: Vec<Seat> = Vec::new();
            for (step, wait, which) in steps {
                match step {
                    0..4 => {
                        let name = ["pass", "fail", "panic", "hang"][usize::from(step)];
                        if let Ok(seat) = start(&runs, name, wait) {
                            seats.push(seat);
                        }
                    }
                    4 => drop(runs.slot()), // a request that fails between its slot and its run
                    5 if !seats.is_empty() => drop(seats.swap_remove(which.index(seats.len()))),
                    6 if !seats.is_empty() => seats[which.index(seats.len())].run().brake.pull(Why::ByHand),
                    _ => tokio::time::advance(Duration::from_secs(2)).await,
                }
                settle().await;
                let running = runs.list().iter().filter(|run| run.verdict.borrow().is_none()).count();
                prop_assert_eq!(runs.slots(), (max, max - running));
            }
            runs.close(Duration::from_mins(5)).await;
            prop_assert_eq!(runs.slots(), (max, max));
            Ok(())
        })?;
    }
}
