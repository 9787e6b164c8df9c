//! `-kubeconfig-service-mesh`: the routes are in another cluster than the canaries (deploy.md 2).

use actors::{election::Claim, places::Places};
use serde_json::{Value, json};

use super::{
    manifests::{NAMESPACE, ROUTES},
    stage::{simulate, watched_step},
};

#[test]
fn routes_are_written_where_the_mesh_is_and_owned_by_nobody() {
    simulate(1, |stage| async move {
        let mesh = stage.beside();
        let places = Places::apart(stage.sandbox.client(), mesh.sandbox.client());
        let life = stage.start_with(watched_step, places, Claim::always()).await;
        stage.install("podinfo", &json!({}));
        stage.reach("podinfo", &["Initialized"]).await;
        let route = mesh.sandbox.get(ROUTES, NAMESPACE, "podinfo").unwrap();
        assert_eq!(route["metadata"]["ownerReferences"], Value::Null);
        assert!(stage.sandbox.get(ROUTES, NAMESPACE, "podinfo").is_err(), "none here");

        stage.set_version("podinfo", "2");
        stage.until("30 %", || mesh.weights("podinfo") == (70, 30)).await;
        // What changes there is noticed there: the weight of the run comes back.
        let shares = json!({"spec": {"rules": [{"backendRefs": [
            {"name": "podinfo-primary", "port": 9898, "weight": 5}, {"name": "podinfo-canary", "port": 9898, "weight": 95}]}]}});
        mesh.sandbox.patch(ROUTES, NAMESPACE, "podinfo", &shares).unwrap();
        stage.reach("podinfo", &["Succeeded"]).await;
        assert_eq!(mesh.weights("podinfo"), (100, 0));
        assert!(
            stage.sandbox.get(ROUTES, NAMESPACE, "podinfo").is_err(),
            "still none here"
        );
        life.stop().await;
    });
}
