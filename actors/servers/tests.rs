use super::*;
use crate::testing::{answer as status, get};
use jiff::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering};

const LIMITS: Limits = Limits {
    servers: 2,
    at_once: 2,
    breaker: Some(Breaker {
        failures: 3,
        rest: Duration::from_secs(10),
    }),
};

fn servers() -> Servers {
    Servers::new(&World::single(Timestamp::UNIX_EPOCH, 1), LIMITS)
}

#[tokio::test(start_paused = true)]
async fn a_slow_server_delays_only_its_users() {
    let servers = servers();
    let outbound = outbound::scripted(|request| {
        let seconds = if request.url.contains("slow") { 4 } else { 0 };
        (Duration::from_secs(seconds), status(200))
    });
    let begun = Instant::now();
    let slow = || servers.send(&outbound, get("http://slow/"));
    let crowd = futures::future::join_all([slow(), slow(), slow(), slow(), slow()]);
    let fast = async {
        let answer = servers.send(&outbound, get("http://fast/")).await;
        (answer, begun.elapsed())
    };
    let (crowd, (answer, after)) = futures::join!(crowd, fast);
    assert_eq!((answer, after), (status(200), Duration::ZERO));
    assert_eq!(
        crowd.iter().filter(|answer| answer.is_ok()).count(),
        4,
        "the fifth would wait longer than its limit"
    );
    assert_eq!(begun.elapsed(), Duration::from_secs(8));
}

#[tokio::test(start_paused = true)]
async fn a_dead_server_is_left_alone_and_then_probed_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let healthy_from = 4;
    let count = asked.clone();
    let outbound = outbound::scripted(move |_| {
        let nth = count.fetch_add(1, Ordering::Relaxed);
        (
            Duration::from_secs(1),
            status(if nth < healthy_from { 503 } else { 200 }),
        )
    });
    let servers = servers();
    let send = || servers.send(&outbound, get("http://a/"));
    for _ in 0..3 {
        assert_eq!(send().await, status(503));
    }
    assert!(matches!(send().await, Err(Trouble::Unavailable(_))));
    assert_eq!(asked.load(Ordering::Relaxed), 3);

    tokio::time::sleep(Duration::from_secs(10)).await;
    let (probe, other) = futures::join!(send(), send());
    assert_eq!(probe, status(503));
    assert!(matches!(other, Err(Trouble::Unavailable(_))), "one probe at a time");

    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(send().await, status(200));
    let (first, second) = futures::join!(send(), send());
    assert_eq!((first, second), (status(200), status(200)));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_probe_teaches_nothing() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let outbound = outbound::scripted(move |_| {
        let nth = count.fetch_add(1, Ordering::Relaxed);
        (Duration::from_secs(1), status(if nth < 3 { 502 } else { 200 }))
    });
    let servers = servers();
    let send = || servers.send(&outbound, get("http://a/"));
    for _ in 0..3 {
        assert_eq!(send().await, status(502));
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(timeout(Duration::from_millis(500), send()).await.is_err());
    assert_eq!(send().await, status(200));
}

#[tokio::test(start_paused = true)]
async fn other_errors_say_nothing_about_the_server() {
    let outbound = outbound::scripted(|_| (Duration::ZERO, status(500)));
    let servers = servers();
    for _ in 0..5 {
        assert_eq!(servers.send(&outbound, get("http://a/")).await, status(500));
    }
}

#[tokio::test(start_paused = true)]
async fn idle_servers_make_room() {
    let outbound = outbound::scripted(|request| {
        let seconds = u64::from(request.url.contains("slow"));
        (Duration::from_secs(seconds), status(200))
    });
    let servers = servers();
    for url in ["http://a/", "http://b/", "http://c/"] {
        assert_eq!(servers.send(&outbound, get(url)).await, status(200));
    }
    assert_eq!(
        servers.0.known.lock().keys().cloned().collect::<Vec<_>>(),
        ["http://b", "http://c"]
    );
    let slow = || {
        futures::future::join(
            servers.send(&outbound, get("http://slow-1/")),
            servers.send(&outbound, get("http://slow-2/")),
        )
    };
    let (_, crowded) = futures::join!(slow(), servers.send(&outbound, get("http://d/")));
    assert!(
        matches!(crowded, Err(Trouble::Unavailable(_))),
        "both places are in use"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_when_is_left_alone_until_then() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let limited = |pause: &'static str| {
        let count = count.clone();
        outbound::scripted(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            let mut answer = status(429);
            if let Ok(response) = &mut answer {
                response.retry_after = Some(pause.into());
            }
            (Duration::ZERO, answer)
        })
    };
    for (pause, seconds) in [("7", 7), ("86400", 60)] {
        let servers = servers();
        let before = asked.load(Ordering::Relaxed);
        let outbound = limited(pause);
        let send = || servers.send(&outbound, get("http://a/"));
        assert!(send().await.is_ok());
        tokio::time::sleep(Duration::from_secs(seconds - 1)).await;
        assert!(matches!(send().await, Err(Trouble::Unavailable(_))));
        assert_eq!(
            asked.load(Ordering::Relaxed) - before,
            1,
            "not asked before {seconds} s"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(send().await.is_ok());
    }
}
