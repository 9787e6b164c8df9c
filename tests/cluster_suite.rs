//! The suite on the real control plane; the controller has the rights of its ServiceAccount and no others.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use actors::world::World;
use jiff::Timestamp;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use std::{collections::BTreeMap, time::SystemTime};

mod suite;

#[test]
fn the_suite_holds_on_the_real_control_plane() {
    let Ok(file) = std::env::var("AVIARY_CLUSTER_ENV") else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "AVIARY_CLUSTER_ENV must be set in CI"
        );
        println!("skipped: AVIARY_CLUSTER_ENV names no control plane (tests/controlplane/up)");
        return;
    };
    let text = std::fs::read_to_string(&file).unwrap();
    let env: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    drop(rustls::crypto::ring::default_provider().install_default()); // an error means that it is there already
    suite::on_one_thread(false, async {
        let (user, controller) = (
            client(env["AVIARY_ADMIN_KUBECONFIG"]).await,
            client(env["AVIARY_KUBECONFIG"]).await,
        );
        let world = World::single(now(), 1);
        suite::play(world, user, controller, &std::process::id().to_string()).await;
    });
}

async fn client(kubeconfig: &str) -> Client {
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .unwrap();
    Client::try_from(config).unwrap()
}

/// The World's clock starts at the cluster's time, which the conditions of its objects carry.
#[expect(clippy::disallowed_methods, reason = "the start of this test's World")]
fn now() -> Timestamp {
    SystemTime::now().try_into().unwrap()
}
