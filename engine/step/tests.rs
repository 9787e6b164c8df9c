//! The state machine over the miniature cluster.

mod crash;
mod dark;
mod explore;
mod fixture;
mod gates;
mod refusals;
mod runs;
