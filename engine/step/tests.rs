//! The state machine over the miniature cluster.

mod crash;
mod dark;
mod explore;
mod fixture;
mod gates;
mod metrics;
mod outage;
mod refusals;
mod runs;
mod templates;
