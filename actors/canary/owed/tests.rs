use super::*;
use engine::alerts::texts;
use std::sync::atomic::AtomicUsize;

fn owed() -> (Owed, Arc<AtomicUsize>) {
    let rung = Arc::new(AtomicUsize::new(0));
    let count = rung.clone();
    let tell = move || {
        count.fetch_add(1, Ordering::Relaxed);
    };
    (Owed::new(Arc::new(tell)), rung)
}

#[test]
fn what_is_on_its_way_is_found_by_the_next_actor_and_by_nobody_after_the_receipt() {
    let (mut first, rung) = owed();
    let mut status = CanaryStatus::default();
    first.note(&mut status, &[texts::started()], Timestamp::UNIX_EPOCH);
    let receipt = first.give(vec![texts::started()]);
    assert_eq!(first.cleared(Some(&status)), None, "not delivered yet");

    let (mut second, _) = owed();
    assert_eq!(second.found(Some(&status)), [texts::started()]);
    assert_eq!(second.found(Some(&status)), [], "once");

    // The next alert is written beside the one that still is on its way.
    first.note(&mut status, &[texts::promoted()], Timestamp::UNIX_EPOCH);
    assert_eq!(owed().0.found(Some(&status)), [texts::started(), texts::promoted()]);
    let other = first.give(vec![texts::promoted()]);
    drop(receipt);
    assert_eq!((rung.load(Ordering::Relaxed), first.cleared(Some(&status))), (1, None));
    drop(other);
    assert_eq!(first.cleared(Some(&status)), Some(CanaryStatus::default()));
    assert_eq!(first.cleared(Some(&CanaryStatus::default())), None, "nothing to write");
}

#[test]
fn what_is_kept_is_bounded_and_what_cannot_be_read_is_dropped() {
    let (mut owed, _) = owed();
    let mut status = CanaryStatus::default();
    let many: Vec<Alert> = (0..100).map(texts::threshold_reached).collect();
    owed.note(&mut status, &many, Timestamp::UNIX_EPOCH);
    assert_eq!(super::Owed::new(Arc::new(|| {})).found(Some(&status)), many[92..]);

    let long: Vec<Alert> = (0..3).map(|_| texts::deadline_exceeded(&"\"".repeat(15_000))).collect();
    owed.note(&mut status, &long, Timestamp::UNIX_EPOCH);
    assert_eq!(super::Owed::new(Arc::new(|| {})).found(Some(&status)).len(), 1);

    status.conditions[0].message = Some("nonsense".into());
    assert_eq!(owed.found(Some(&status)), []);
    assert_eq!(owed.cleared(Some(&status)), Some(CanaryStatus::default()));
}
