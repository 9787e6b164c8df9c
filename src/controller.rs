//! `aviary controller`.

mod args;
mod http;
mod run;
pub(crate) mod telemetry;

pub use args::Args;
pub use run::{Controller, Parts, Prepared, main};
