use super::{ledger::*, *};
use crate::testing::{canary, simulate};
use crds::Phase;
use jiff::SignedDuration;

/// Remembers what was written; answers with what is prepared, then with success.
#[derive(Default)]
struct Cluster {
    created: Mutex<Vec<Record>>,
    repeated: Mutex<Vec<Repeat>>,
    answers: Mutex<Vec<Result<(), Trouble>>>,
}

impl Cluster {
    fn answer(&self) -> Result<(), Trouble> {
        self.answers.lock().pop().unwrap_or(Ok(()))
    }
}

impl EventSink for Cluster {
    fn create(&self, record: Record) -> BoxFuture<'_, Result<(), Trouble>> {
        Box::pin(async move {
            self.created.lock().push(record);
            self.answer()
        })
    }

    fn repeat(&self, repeat: Repeat) -> BoxFuture<'_, Result<(), Trouble>> {
        Box::pin(async move {
            self.repeated.lock().push(repeat);
            self.answer()
        })
    }
}

fn second(at: i64) -> Timestamp {
    Timestamp::from_second(at).unwrap()
}

fn halt() -> Event {
    Event::warning(Phase::Progressing, "Halt podinfo.test advancement")
}

#[test]
fn an_event_looks_like_the_peers() {
    simulate(|world| async move {
        let cluster = Arc::new(Cluster::default());
        let recorder = Recorder::new(&world, cluster.clone());
        assert_eq!(
            recorder.record(&canary("podinfo"), &halt(), second(0)).await,
            Recorded::Written
        );
        let mut event = serde_json::to_value(&cluster.created.lock()[0]).unwrap();
        let name = event["metadata"]["name"].take();
        assert!(name.as_str().unwrap().starts_with("podinfo."), "{name}");
        let expected = serde_json::json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": { "name": null, "namespace": "test" },
            "involvedObject": { "apiVersion": "flagger.app/v1beta1", "kind": "Canary", "name": "podinfo", "namespace": "test", "uid": "u-1" },
            "reason": "Synced", "type": "Warning", "message": "Halt podinfo.test advancement", "count": 1,
            "source": { "component": "flagger" }, "reportingComponent": "flagger",
            "firstTimestamp": "1970-01-01T00:00:00Z", "lastTimestamp": "1970-01-01T00:00:00Z",
        });
        assert_eq!(event, expected);
    });
}

#[test]
fn the_same_text_is_counted_for_ten_minutes() {
    simulate(|world| async move {
        let cluster = Arc::new(Cluster::default());
        let recorder = Recorder::new(&world, cluster.clone());
        let canary = canary("podinfo");
        for at in [0, 60, 660, 1261] {
            assert_eq!(recorder.record(&canary, &halt(), second(at)).await, Recorded::Written);
        }
        let counts: Vec<_> = cluster
            .repeated
            .lock()
            .iter()
            .map(|repeat| (repeat.count, repeat.last))
            .collect();
        assert_eq!(counts, [(2, second(60)), (3, second(660))]);
        assert_eq!(cluster.created.lock().len(), 2);
        let first = cluster.created.lock()[0].metadata.name.clone().unwrap();
        assert!(
            cluster
                .repeated
                .lock()
                .iter()
                .all(|repeat| repeat.name == first && repeat.namespace == "test")
        );
    });
}

#[test]
fn an_event_that_was_cleaned_up_is_written_anew() {
    simulate(|world| async move {
        let cluster = Arc::new(Cluster::default());
        let recorder = Recorder::new(&world, cluster.clone());
        let canary = canary("podinfo");
        recorder.record(&canary, &halt(), second(0)).await;
        cluster.answers.lock().push(Err(Trouble::NotFound("gone".into())));
        assert_eq!(recorder.record(&canary, &halt(), second(1)).await, Recorded::Written);
        recorder.record(&canary, &halt(), second(2)).await;
        let names: Vec<_> = cluster
            .created
            .lock()
            .iter()
            .map(|record| record.metadata.name.clone().unwrap())
            .collect();
        assert_eq!(names.len(), 2);
        let last = cluster.repeated.lock()[1].clone();
        assert_eq!((last.name.as_str(), last.count), (names[1].as_str(), 2));
    });
}

#[test]
fn writing_is_tried_again_where_that_helps() {
    let gone = || Err(Trouble::Unavailable("away".into()));
    let cases = [
        (vec![gone(), gone()], Recorded::Written, 3),
        (
            vec![gone(); 4],
            Recorded::Failed(Trouble::Unavailable("away".into())),
            4,
        ),
        (
            vec![gone(), Err(Trouble::Conflict("exists".into()))],
            Recorded::Written,
            2,
        ),
        (
            vec![Err(Trouble::Refused("no".into()))],
            Recorded::Failed(Trouble::Refused("no".into())),
            1,
        ),
    ];
    for (mut answers, recorded, attempts) in cases {
        simulate(|world| async move {
            let cluster = Arc::new(Cluster::default());
            answers.reverse();
            *cluster.answers.lock() = answers;
            let recorder = Recorder::new(&world, cluster.clone());
            assert_eq!(recorder.record(&canary("podinfo"), &halt(), second(0)).await, recorded);
            assert_eq!(cluster.created.lock().len(), attempts);
        });
    }
}

#[test]
fn long_texts_are_cut() {
    let text = cut(&"é".repeat(5000));
    assert_eq!(text.chars().count(), TEXT_MAX);
    assert!(text.ends_with('…'));
    assert_eq!(cut("short"), "short");
}

#[test]
fn a_long_run_loses_nothing_and_a_chatty_canary_is_held() {
    let mut ledger = Ledger::default();
    let mut enter = |at: i64, text: &str| ledger.enter("test/podinfo", EventType::Normal, text, "n", second(at));
    for at in 0..2000 {
        let moved = enter(at * 5, &format!("step {at}"));
        assert_eq!(moved, Move::Create, "two texts per 10 s, at {at}");
    }
    let left_out = (0..300)
        .filter(|n| enter(10_000, &format!("noise {n}")) == Move::LeaveOut)
        .count();
    assert_eq!(left_out, 200);
    assert_eq!(enter(10_000 + REFILL.as_secs(), "again"), Move::Create);
}

#[test]
fn silent_canaries_are_forgotten() {
    assert!(
        REFILL.as_secs() * BURST < WINDOW.as_secs(),
        "forgetting must not give a canary more than it has"
    );
    let mut ledger = Ledger::default();
    let enter = |ledger: &mut Ledger, canary: &str, at| ledger.enter(canary, EventType::Normal, "x", "n", second(at));
    enter(&mut ledger, "a", 0);
    enter(&mut ledger, "b", 599);
    assert_eq!(ledger.len(), 2);
    enter(&mut ledger, "c", 600);
    assert_eq!(ledger.len(), 2);
    assert_eq!(WINDOW, SignedDuration::from_mins(10));
}

#[test]
fn a_canary_remembers_a_bounded_number_of_texts() {
    let mut ledger = Ledger::default();
    let mut enter = |text: &str, at| ledger.enter("a", EventType::Normal, text, text, second(at));
    for n in 0..=TEXTS_MAX {
        assert_eq!(enter(&n.to_string(), 0), Move::Create);
    }
    assert_eq!(enter("0", 1), Move::Create, "the oldest made room");
    let repeated = Move::Repeat {
        name: "5".into(),
        count: 2,
    };
    assert_eq!(enter("5", 1), repeated);
}
