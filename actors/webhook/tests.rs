use super::*;
use crate::testing::{answer, post, simulate};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

fn hook(retries: u32) -> Call {
    Call(HookCall {
        name: "gate".into(),
        request: post("http://tester.test/"),
        retries,
    })
}

/// Answers with these statuses, the last one for ever; counts.
fn receiver(statuses: &'static [u16], latency: Duration) -> (Outbound, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    let outbound = crate::outbound::scripted(move |_| {
        let nth = count.fetch_add(1, Ordering::Relaxed).min(statuses.len() - 1);
        (latency, answer(statuses[nth]))
    });
    (outbound, calls)
}

#[test]
fn retries_as_the_hook_says() {
    // statuses, retries, final status, attempts, seconds in all
    let cases: [(&[u16], u32, u16, usize, u64); 6] = [
        (&[200], 5, 200, 1, 0),
        (&[500, 500, 200], 2, 200, 3, 1 + 2),
        (&[500, 429, 200], 1, 429, 2, 1),
        (&[403], 3, 403, 1, 0),
        (&[501], 3, 501, 1, 0),
        (&[503], 500, 503, 11, 181),
    ];
    for (statuses, retries, status, attempts, seconds) in cases {
        simulate(|world| async move {
            let (outbound, calls) = receiver(statuses, Duration::ZERO);
            let begun = world.instant();
            let result = start(&world, &outbound).send(hook(retries)).await.unwrap();
            assert_eq!(result, answer(status), "{statuses:?}");
            assert_eq!(calls.load(Ordering::Relaxed), attempts, "{statuses:?}");
            assert_eq!(begun.elapsed().as_secs(), seconds, "{statuses:?}");
        });
    }
}

#[test]
fn nobody_waits_nobody_works() {
    simulate(|world| async move {
        let (outbound, calls) = receiver(&[503], Duration::from_secs(1));
        let mail = start(&world, &outbound);
        let gone = tokio::time::timeout(Duration::from_millis(1500), mail.send(hook(9))).await;
        assert!(gone.is_err());
        world.sleep(Duration::from_mins(10)).await;
        assert_eq!(calls.load(Ordering::Relaxed), 1, "the retries ended with the future");
        assert_eq!(mail.free(), CALLS_MAX);
    });
}
