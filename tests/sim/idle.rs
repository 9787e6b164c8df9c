//! A fleet at rest costs nothing.

use serde_json::json;

use super::stage::{Life, simulate};

const CANARIES: usize = 100;
/// Each kind that is watched is listed again after ten minutes without a change; three hundred Services make two pages.
const RELISTS_PER_KIND: usize = 6;

#[test]
fn a_hundred_idle_canaries_cause_no_request_in_an_hour_but_watches() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        let names: Vec<String> = (0..CANARIES).map(|number| format!("app-{number}")).collect();
        for name in &names {
            stage.install(name, &json!({}));
        }
        for name in &names {
            stage.reach(name, &["Initialized"]).await;
        }
        stage.wait(60).await;
        let before = stage.sandbox.journal().last().map_or(0, |entry| entry.seq);
        let events = stage.sandbox.list("events", None).unwrap().len();
        let (asked, steps) = (stage.outside.count(""), steps(&life).await);
        stage.wait(3600).await;
        let journal = stage.sandbox.journal();
        let (lists, others): (Vec<_>, Vec<_>) = journal
            .into_iter()
            .filter(|entry| entry.seq > before && !entry.query.contains("watch=true"))
            .partition(|entry| entry.method == "GET" && entry.query.contains("limit=200"));
        assert_eq!(others, [], "only whole kinds are listed");
        // With that of CustomResourceDefinitions.
        let relists = (actors::caches::watched().len() + 1) * RELISTS_PER_KIND;
        assert!(lists.len() <= relists, "{} lists", lists.len());
        assert_eq!(stage.sandbox.list("events", None).unwrap().len(), events);
        assert_eq!(stage.outside.count(""), asked);
        let more = self::steps(&life).await - steps;
        assert!(more <= CANARIES as u64 * 6, "{more} steps: one in ten minutes each");
        life.stop().await;
    });
}

async fn steps(life: &Life) -> u64 {
    let canaries = life.controller.observe().await;
    assert_eq!(canaries.len(), CANARIES);
    canaries.iter().map(|canary| canary.steps).sum()
}
