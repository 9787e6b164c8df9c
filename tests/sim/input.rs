//! Bad input stops its own canary only.
use super::{manifests::*, stage::simulate};
use serde_json::json;

#[test]
fn explore() {
    simulate(1, |stage| async move {
        let life = stage.start().await;
        let bad = json!({"apiVersion": "flagger.app/v1beta1", "kind": "MetricTemplate", "metadata": {"name": "broken", "namespace": NAMESPACE}, "spec": {"provider": {"type": "prometheus", "address": "http://prometheus:9090"}, "query": "{{ .bad"}});
        stage.sandbox.create(bad).unwrap();
        for (name, spec) in [
            ("a-string", json!({"analysis": {"stepWeight": "ten"}})),
            ("a-provider", json!({"provider": "pigeon:v1"})),
            (
                "a-template",
                json!({"analysis": {"metrics": [{"name": "m", "interval": "1m", "templateRef": {"name": "broken"}, "thresholdRange": {"min": 1}}]}}),
            ),
            ("a-fine", json!({})),
        ] {
            stage.install(name, &spec);
        }
        stage.sandbox.create(canary("a-missing", &json!({}))).unwrap();
        let mut none = canary("a-specless", &json!({}));
        none.as_object_mut().unwrap().remove("spec");
        stage.sandbox.create(none).unwrap();
        stage.wait(100).await;
        for name in [
            "a-string",
            "a-provider",
            "a-template",
            "a-fine",
            "a-missing",
            "a-specless",
        ] {
            stage.sandbox.list(DEPLOYMENTS, None).unwrap();
            println!(
                "{name}: {} {:#?} {:#?}",
                stage.phase(name),
                stage.status(name)["conditions"],
                stage.events(name)
            );
        }
        stage.set_version("a-template", "2");
        stage.wait(100).await;
        println!("{:#?} {:#?}", stage.status("a-template"), stage.events("a-template"));
        println!("{}", life.controller.metrics());
        panic!("show");
    });
}
