//! A fleet at rest costs nothing.

use serde_json::json;

use super::stage::simulate;

const CANARIES: usize = 100;

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
        let asked = stage.outside.count("");
        stage.wait(3600).await;
        let requests = stage.sandbox.journal().into_iter().filter(|entry| entry.seq > before);
        let mut others: Vec<String> = requests
            .filter(|entry| !entry.query.contains("watch=true"))
            .map(|entry| format!("{} {}?{}", entry.method, entry.path, entry.query))
            .collect();
        others.sort();
        others.dedup();
        assert_eq!(others, Vec::<String>::new());
        assert_eq!(stage.sandbox.list("events", None).unwrap().len(), events);
        assert_eq!(stage.outside.count(""), asked);
        assert_eq!(life.controller.observe().await.len(), CANARIES);
        life.stop().await;
    });
}
