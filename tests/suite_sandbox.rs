//! The suite on the in-process API, with a paused clock.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use actors::world::World;
use aviary::sandbox::{Sandbox, Settings};
use futures::future::{FutureExt, ready};
use jiff::Timestamp;
use kube::Client;
use std::{rc::Rc, sync::Arc};
use tokio::runtime::Handle;

mod suite;

use suite::Reach;

#[test]
fn the_suite_holds_on_the_in_process_api() {
    play(false, Reach::Cluster);
}

#[test]
fn the_suite_holds_on_the_strict_one_that_kubectl_uses() {
    play(true, Reach::Cluster);
}

/// As with `-namespace`, without RBAC; with it: tests/cluster_suite.rs.
#[test]
fn the_suite_holds_with_a_controller_for_each_namespace() {
    play(true, |client| {
        Reach::Namespace(Rc::new(move |_| ready(client.clone()).boxed_local()))
    });
}

fn play(strict: bool, reach: impl FnOnce(Client) -> Reach + Send + 'static) {
    suite::on_one_thread(true, async move {
        let world = World::single(Timestamp::UNIX_EPOCH, 1);
        let (clock, runtime) = (world.clone(), Handle::current());
        let settings = Settings {
            strict,
            ..Settings::default()
        };
        let sandbox = Sandbox::new(
            Arc::new(move || clock.now()),
            Arc::new(move |task| drop(runtime.spawn(task))),
            settings,
        );
        sandbox.furnish().unwrap();
        suite::play(world, sandbox.client(), reach(sandbox.client()), "paused").await;
    });
}
