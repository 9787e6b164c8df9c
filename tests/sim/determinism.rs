//! One seed, one run.

use aviary::sandbox::Entry;
use serde_json::json;

use super::stage::simulate;

/// Hashes of all requests to the API server and to everybody else, and the former in short.
fn hashes(seed: u64) -> (u64, u64, Vec<String>) {
    simulate(seed, |stage| async move {
        let life = stage.start().await;
        stage.outside.set_success("bad", "95");
        for name in ["good", "bad", "other"] {
            let hook = json!({"name": "load", "url": "http://load.test/"});
            stage.install(name, &json!({"analysis": {"webhooks": [hook]}}));
        }
        for name in ["good", "bad"] {
            stage.reach(name, &["Initialized"]).await;
        }
        stage.set_version("good", "2");
        stage.set_version("bad", "2");
        stage.reach("bad", &["Failed"]).await;
        life.kill().await;
        let life = stage.start().await;
        stage.reach("good", &["Succeeded"]).await;
        life.stop().await;
        (
            stage.sandbox.hash(),
            stage.outside.hash(),
            stage.sandbox.journal().iter().map(short).collect(),
        )
    })
}

fn short(entry: &Entry) -> String {
    let body: String = String::from_utf8_lossy(&entry.body).chars().take(400).collect();
    format!("{} {} {} {} {body}", entry.at, entry.method, entry.path, entry.code)
}

#[test]
fn the_same_seed_gives_the_same_requests() {
    let first = hashes(7);
    assert!(first.2.len() > 100, "{} requests", first.2.len());
    for _ in 0..3 {
        let again = hashes(7);
        for (at, (one, other)) in first.2.iter().zip(&again.2).enumerate() {
            assert_eq!(other, one, "request {at}");
        }
        assert_eq!(again, first);
    }
}

#[test]
fn another_seed_gives_other_requests() {
    assert_ne!(hashes(7).0, hashes(8).0, "names of Events are drawn");
}
