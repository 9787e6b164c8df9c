//! The simulation: the real controller on the embedded cluster, on one thread with a paused clock and no sockets.
//!
//! Hours pass in milliseconds, one seed gives the same run each time, and the controller can be killed at any moment. One binary, so
//! that it is linked once; `cargo test -p aviary --test sim crash` runs one part. Read `sim/stage.rs` first.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

mod sim {
    mod alerts;
    mod apart;
    mod chaos;
    mod crash;
    mod determinism;
    mod idle;
    mod input;
    mod lateness;
    mod manifests;
    mod namespaces;
    mod outside;
    mod replicas;
    mod runs;
    mod servers;
    mod stage;
    mod supervision;
}
