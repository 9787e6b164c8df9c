//! `-no-cross-namespace-refs` at each use: the peer looks when a Canary is registered and never again (W-38).

use engine::{
    Settings,
    model::{answer, vector},
};
use serde_json::{Value, json};
use std::time::Duration;

use super::{
    manifests::NAMESPACE,
    stage::{End, Stage, simulate},
};

const OTHER: &str = "secret-team";

fn object(kind: &str, name: &str, namespace: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "flagger.app/v1beta1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    })
}

/// The analysis with its template and its chat in this namespace.
fn analysis(namespace: &str) -> Value {
    json!({"analysis": {
        "metrics": [{"name": "errors", "interval": "1m", "templateRef": {"name": "errors", "namespace": namespace}, "thresholdRange": {"max": 5}}],
        "alerts": [{"name": "all", "severity": "info", "providerRef": {"name": "chat", "namespace": namespace}}],
    }})
}

/// A template and a chat in the canary's namespace and in another one.
fn install(stage: &Stage) {
    for (namespace, host) in [(NAMESPACE, "own.test"), (OTHER, "foreign.test")] {
        let address = format!("http://metrics.{host}");
        let good = (Duration::from_millis(3), Ok(answer(200, &vector("1"))));
        stage.outside.set_server(&address, good);
        let template = json!({"provider": {"type": "prometheus", "address": address}, "query": "errors"});
        let chat = json!({"type": "slack", "address": format!("http://chat.{host}/")});
        stage
            .sandbox
            .create(object("MetricTemplate", "errors", namespace, &template))
            .unwrap();
        stage
            .sandbox
            .create(object("AlertProvider", "chat", namespace, &chat))
            .unwrap();
    }
    stage.install("podinfo", &analysis(NAMESPACE));
}

fn asked(stage: &Stage, host: &str) -> (usize, usize) {
    (
        stage.outside.count(&format!("http://metrics.{host}")),
        stage.outside.count(&format!("http://chat.{host}")),
    )
}

#[test]
fn a_reference_that_is_turned_elsewhere_in_a_run_is_not_followed() {
    simulate(1, |stage| async move {
        let settings = Settings {
            no_cross_namespace_refs: true,
            ..Settings::default()
        };
        let stage = Stage { settings, ..stage };
        let life = stage.start().await;
        install(&stage);
        stage.reach("podinfo", &["Initialized"]).await;
        stage.set_version("podinfo", "2");
        stage.until("20 %", || stage.weights("podinfo") == (80, 20)).await;
        let (queries, alerts) = asked(&stage, "own.test");
        assert!(queries > 0 && alerts == 2, "{queries} queries, {alerts} alerts");

        stage.edit("podinfo", &analysis(OTHER));
        stage.wait(60).await;
        let (status, _, message) = stage.condition("podinfo", "Accepted").unwrap();
        assert_eq!(status, "False");
        assert!(
            message.contains("templateRef") && message.contains("namespace"),
            "{message}"
        );
        assert_eq!(stage.weights("podinfo"), (80, 20), "it waits");

        stage.edit("podinfo", &analysis(NAMESPACE));
        stage.reach("podinfo", &["Succeeded"]).await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
        assert_eq!(
            asked(&stage, "foreign.test"),
            (0, 0),
            "nothing of the other namespace was used"
        );
        life.stop().await;
    });
}

#[test]
fn without_the_flag_it_is_followed_as_with_the_peer() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        install(&stage);
        stage.edit("podinfo", &analysis(OTHER));
        stage.release("podinfo").await;
        assert_eq!(stage.end("podinfo"), End::good("podinfo"));
        stage.wait(30).await;
        let (queries, alerts) = asked(&stage, "foreign.test");
        assert!(queries > 0 && alerts >= 2, "{queries} queries, {alerts} alerts");
        life.stop().await;
    });
}
