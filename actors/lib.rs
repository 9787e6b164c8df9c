//! Concurrency and I/O, and nothing else: what shall be done is decided in `engine`.
//!
//! ```text
//!   watches ──> Caches ──ring──> Canary (one per resource, owns its timer and status) ──> Router   ──> Kubernetes API
//!                  │                 ▲                                               ├──> Metrics  ──> metrics servers
//!                  └──> Supervisor ──┘ (spawns, re-creates)                          ├──> Webhook  ──> hooks
//!                                                                                    └──> Notifier ──> Events, chats
//! ```
//!
//! Read in this order: [`world`], [`mail`], [`supervisor`], [`canary`], then the pools and [`caches`].

pub mod answer;
pub mod backoff;
pub mod caches;
pub mod canary;
pub mod catalogue;
pub mod cluster;
pub mod desk;
pub mod directory;
pub mod election;
pub mod events;
pub mod lanes;
pub mod mail;
pub mod metrics;
pub mod notifier;
pub mod outbound;
pub mod places;
pub mod records;
pub mod router;
pub mod series;
pub mod servers;
pub mod supervisor;
#[cfg(test)]
mod testing;
pub mod webhook;
pub mod world;
