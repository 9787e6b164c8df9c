//! The process: command line, wiring, HTTP, telemetry, the embedded cluster and the demo.
//!
//! Read in this order: [`cli`], [`controller`] (everything is wired in `run.rs`), then the part you came for.

pub mod cli;
mod companion;
pub mod controller;
#[cfg(feature = "sandbox")]
pub mod demo;
pub mod k6;
pub mod loadtester;
#[cfg(feature = "sandbox")]
pub mod sandbox;
