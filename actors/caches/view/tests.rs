use super::*;
use crate::{
    caches::tests::{Bench, WEB, deployment, over, replicas, settle},
    cluster::fake::Fake,
};
use engine::objects::kinds::{CONFIG_MAP, DEPLOYMENT};
use serde_json::json;
use std::time::Duration;

/// An own write as the actor records it; the event of it has not arrived.
fn wrote(fake: &Fake, overlay: &mut Overlay, caches: &Caches, replicas: u32) {
    let stored = Arc::new(fake.put(WEB, deployment(replicas)));
    let write = Write {
        object: DEPLOYMENT.named("shop", "web"),
        act: Act::Create(Value::Null),
    };
    overlay.record(caches, &write, &stored);
}

fn seen(caches: &Caches, overlay: &Overlay) -> Seen {
    StepView::new(caches, overlay, &Digests::default(), &Pins::default()).object(&DEPLOYMENT.named("shop", "web"))
}

#[tokio::test(start_paused = true)]
async fn a_canary_reads_its_own_writes_until_the_caches_have_them() {
    let fake = Fake::default();
    fake.put(WEB, deployment(1));
    over(fake, |Bench { fake, caches, .. }| async move {
        let mut overlay = Overlay::default();
        wrote(&fake, &mut overlay, &caches, 2);
        assert_eq!(
            replicas(&caches.object(&DEPLOYMENT.named("shop", "web"))),
            Some(1),
            "late"
        );
        assert_eq!(replicas(&seen(&caches, &overlay)), Some(2));
        overlay.prune(&caches);
        assert_eq!(overlay.len(), 1);
        // Someone else writes, then the caches see both.
        fake.put(WEB, deployment(3));
        settle().await;
        assert_eq!(replicas(&seen(&caches, &overlay)), Some(3));
        overlay.prune(&caches);
        assert!(overlay.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_others_delete_after_an_own_write_is_gone() {
    let fake = Fake::default();
    over(fake, |Bench { fake, caches, .. }| async move {
        let mut overlay = Overlay::default();
        wrote(&fake, &mut overlay, &caches, 1);
        fake.remove(WEB);
        assert_eq!(replicas(&seen(&caches, &overlay)), Some(1), "not known yet");
        settle().await;
        assert_eq!(seen(&caches, &overlay), Seen::Absent);

        // The same, but both events are lost: a list that began after the write has the last word.
        wrote(&fake, &mut overlay, &caches, 2);
        fake.lose(WEB);
        fake.expire();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(seen(&caches, &overlay), Seen::Absent);
        overlay.prune(&caches);
        assert!(overlay.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_own_deletion_is_seen_at_once_but_not_a_successor_of_the_same_name() {
    let fake = Fake::default();
    fake.put(WEB, deployment(1));
    over(fake, |Bench { fake, caches, .. }| async move {
        let mut overlay = Overlay::default();
        let write = Write {
            object: DEPLOYMENT.named("shop", "web"),
            act: Act::Delete { uid: "one".into() },
        };
        overlay.record(&caches, &write, &Arc::new(json!({"kind": "Status"})));
        assert_eq!(seen(&caches, &overlay), Seen::Absent);
        let mut successor = deployment(4);
        successor["metadata"]["uid"] = json!("two");
        fake.put(WEB, successor);
        settle().await;
        assert_eq!(replicas(&seen(&caches, &overlay)), Some(4));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn looks_of_one_step_are_stable() {
    let fake = Fake::default();
    fake.put(WEB, deployment(1));
    over(fake, |Bench { fake, caches, .. }| async move {
        let (overlay, digests, pins) = (Overlay::default(), Digests::default(), Pins::default());
        let web = DEPLOYMENT.named("shop", "web");
        let view = StepView::new(&caches, &overlay, &digests, &pins);
        let first = view.object(&web);
        fake.put(WEB, deployment(2));
        settle().await;
        assert_eq!(StepView::new(&caches, &overlay, &digests, &pins).object(&web), first);
        let version = resource_version(first.present().unwrap()).to_owned();
        assert_eq!(pins.looks(), BTreeMap::from([(web, Mark::At(version))]));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn digests_are_remembered_for_one_version_and_bounded() {
    over(Fake::default(), |Bench { caches, .. }| async move {
        let mut digests = Digests::default();
        let digest = |sum: &str| Digest {
            checksum: sum.into(),
            tracked: true,
        };
        let of = CONFIG_MAP.named("shop", "settings");
        digests.remember(of.clone(), "7", digest("a"));
        let ask = |digests: &Digests, version: &str| {
            StepView::new(&caches, &Overlay::default(), digests, &Pins::default()).digest(&of, version)
        };
        assert_eq!(ask(&digests, "7"), Some(digest("a")));
        assert_eq!(ask(&digests, "8"), None);
        for number in 0..1_000 {
            digests.remember(CONFIG_MAP.named("a", &number.to_string()), "1", digest("b"));
        }
        digests.remember(of.clone(), "9", digest("c"));
        assert_eq!(ask(&digests, "9"), Some(digest("c")));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_read_in_a_step_is_known_to_the_next_one_only() {
    over(Fake::default(), |Bench { caches, .. }| async move {
        let (overlay, mut digests, pins) = (Overlay::default(), Digests::default(), Pins::default());
        let of = CONFIG_MAP.named("shop", "settings");
        let ask = |digests: &Digests, pins: &Pins| StepView::new(&caches, &overlay, digests, pins).digest(&of, "7");
        assert_eq!(ask(&digests, &pins), None);
        let digest = Digest {
            checksum: "a".into(),
            tracked: true,
        };
        digests.remember(of.clone(), "7", digest.clone());
        assert_eq!(ask(&digests, &pins), None, "a replay would ask for one read less");
        assert_eq!(ask(&digests, &Pins::default()), Some(digest));
    })
    .await;
}

#[test]
fn newer_means_a_higher_version() {
    let at = |version: &str| json!({"metadata": {"resourceVersion": version}});
    for (candidate, than, newer) in [
        ("10", "9", true),
        ("9", "10", false),
        ("9", "9", false),
        ("9", "", true),
    ] {
        assert_eq!(is_newer(&at(candidate), &at(than)), newer, "{candidate} {than}");
    }
}
