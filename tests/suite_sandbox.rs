//! The suite on the in-process API, with a paused clock.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use actors::world::World;
use aviary::sandbox::{Sandbox, Settings};
use jiff::Timestamp;
use std::sync::Arc;
use tokio::runtime::Handle;

mod suite;

#[test]
fn the_suite_holds_on_the_in_process_api() {
    play(false);
}

#[test]
fn the_suite_holds_on_the_strict_one_that_kubectl_uses() {
    play(true);
}

fn play(strict: bool) {
    suite::on_one_thread(true, async {
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
        suite::play(world, sandbox.client(), sandbox.client(), "paused").await;
    });
}
