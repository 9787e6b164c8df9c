use super::*;
use crate::testing::simulate;
use std::time::Duration;

/// A name, whether it is minor, and how many seconds it takes.
#[derive(Debug, PartialEq)]
struct Task(&'static str, bool, u64);

impl Job for Task {
    fn is_minor(&self) -> bool {
        self.1
    }
}

const BOUNDS: Bounds = Bounds { waiting: 2, running: 2 };

fn lanes(world: &World) -> (Lanes<Task>, Arc<Mutex<Vec<&'static str>>>) {
    let done = Arc::new(Mutex::new(Vec::new()));
    let log = done.clone();
    let clock = world.clone();
    let lanes = Lanes::new(world, BOUNDS, move |Task(name, _, seconds): Task| {
        assert_ne!(name, "bomb");
        let (log, clock) = (log.clone(), clock.clone());
        Box::pin(async move {
            clock.sleep(Duration::from_secs(seconds)).await;
            log.lock().push(name);
        })
    });
    (lanes, done)
}

#[test]
fn a_lane_keeps_its_order_and_does_not_delay_another() {
    simulate(|world| async move {
        let (lanes, done) = lanes(&world);
        assert_eq!(lanes.add("a", Task("a1", false, 9)), None);
        assert_eq!(lanes.add("a", Task("a2", false, 0)), None);
        assert_eq!(lanes.add("b", Task("b1", false, 1)), None);
        lanes.idle().await;
        assert_eq!(*done.lock(), ["b1", "a1", "a2"]);
        assert!(lanes.0.waiting.lock().is_empty(), "idle lanes cost nothing");
    });
}

#[test]
fn a_full_lane_gives_up_the_oldest_minor_job() {
    simulate(|world| async move {
        let (lanes, done) = lanes(&world);
        assert_eq!(lanes.add("a", Task("first", false, 5)), None);
        world.sleep(Duration::from_secs(1)).await; // it runs and waits no more
        assert_eq!(lanes.add("a", Task("warning", false, 0)), None);
        assert_eq!(lanes.add("a", Task("news", true, 0)), None);
        assert_eq!(lanes.add("a", Task("later", false, 0)), Some(Task("news", true, 0)));
        assert_eq!(lanes.add("a", Task("last", false, 0)), Some(Task("warning", false, 0)));
        lanes.idle().await;
        assert_eq!(*done.lock(), ["first", "later", "last"]);
    });
}

#[test]
fn few_jobs_run_at_a_time() {
    simulate(|world| async move {
        let (lanes, done) = lanes(&world);
        let begun = world.instant();
        for lane in ["a", "b", "c", "d"] {
            assert_eq!(lanes.add(lane, Task("job", false, 3)), None);
        }
        lanes.idle().await;
        assert_eq!(done.lock().len(), 4);
        assert_eq!(begun.elapsed(), Duration::from_secs(6));
    });
}

#[test]
fn a_panic_costs_one_job() {
    simulate(|world| async move {
        let (lanes, done) = lanes(&world);
        assert_eq!(lanes.add("a", Task("bomb", false, 0)), None);
        assert_eq!(lanes.add("a", Task("next", false, 0)), None);
        lanes.idle().await;
        assert_eq!(*done.lock(), ["next"]);
    });
}
