//! `aviary k6-webhook`: runs k6 for hooks, drop-in for grafana's flagger-k6-webhook (k6-webhook.md).
//!
//! Read in this order: `http` (what is asked), `request` (what it means), `runs` (slots, the pause after a failure, what ran), `launch`
//! (one run of k6), `courier` (what Slack is told).

mod args;
mod courier;
mod environment;
mod http;
mod launch;
mod pages;
mod pause;
mod request;
mod run;
mod runs;
mod secrets;
mod series;
mod slack;
mod summary;

pub use args::Args;
pub use run::main;
