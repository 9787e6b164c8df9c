//! The state machine over the miniature cluster.

mod addresses;
mod bootstrap;
mod crash;
mod dark;
mod deletion;
mod explore;
mod fixture;
mod fuzz;
mod gates;
mod knative;
mod lost;
mod meshes;
mod metrics;
mod mutants;
mod outage;
mod own_routes;
mod refusals;
mod runs;
mod scalers;
mod status;
mod strategies;
mod targets;
mod templates;
mod users;
mod zero;
