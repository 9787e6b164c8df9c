//! The state machine over the miniature cluster.

mod crash;
mod dark;
mod fixture;
mod gates;
mod refusals;
mod runs;
