mod access;

use super::*;
use crate::testing::{answer, get, simulate};
use futures::future::join_all;
use std::sync::atomic::{AtomicUsize, Ordering};

fn server() -> (Outbound, Arc<AtomicUsize>) {
    let queries = Arc::new(AtomicUsize::new(0));
    let count = queries.clone();
    let outbound = crate::outbound::scripted(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        (Duration::from_secs(1), answer(200))
    });
    (outbound, queries)
}

#[test]
fn the_same_query_is_sent_once() {
    simulate(|world| async move {
        let (outbound, queries) = server();
        let mail = start(&world, &outbound);
        let begun = world.instant();
        let same = join_all((0..50).map(|_| mail.send(Query::from(get("http://prometheus/?query=up"))))).await;
        assert!(same.into_iter().all(|result| result == Ok(answer(200))));
        assert_eq!(queries.load(Ordering::Relaxed), 1);
        assert_eq!(begun.elapsed(), Duration::from_secs(1));

        let later = mail.send(Query::from(get("http://prometheus/?query=up"))).await;
        assert_eq!(later, Ok(answer(200)));
        assert_eq!(queries.load(Ordering::Relaxed), 2, "an answer is not kept");
    });
}

#[test]
fn queries_with_other_credentials_are_others() {
    simulate(|world| async move {
        let (outbound, queries) = server();
        let mail = start(&world, &outbound);
        let tenant = |name: &str| {
            let mut request = get("http://prometheus/?query=up");
            request.headers = vec![("X-Scope-OrgID".into(), name.into())];
            mail.send(Query::from(request))
        };
        let _ = futures::join!(tenant("a"), tenant("b"), tenant("a"));
        assert_eq!(queries.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn one_who_leaves_does_not_disturb_the_others() {
    simulate(|world| async move {
        let (outbound, queries) = server();
        let mail = start(&world, &outbound);
        let ask = || mail.send(Query::from(get("http://prometheus/?query=up")));
        let leaves = tokio::time::timeout(Duration::from_millis(300), ask());
        let (left, stayed) = futures::join!(leaves, ask());
        assert!(left.is_err());
        assert_eq!(stayed, Ok(answer(200)));
        assert_eq!(queries.load(Ordering::Relaxed), 1);
    });
}

#[tokio::test(start_paused = true)]
async fn a_query_that_nobody_waits_for_leaves_no_trace() {
    let flights = Flights::default();
    let key = Key::of(&Question::open(get("http://prometheus/?query=up")));
    let slow = || async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        answer(200)
    };
    let gone = tokio::time::timeout(Duration::from_millis(1), flights.join(key.clone(), slow)).await;
    assert!(gone.is_err());
    assert!(flights.0.lock().flights.is_empty());
    assert_eq!(flights.join(key, slow).await, answer(200));
    assert!(flights.0.lock().flights.is_empty());
}
