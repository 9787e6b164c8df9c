//! Concurrency and I/O, and nothing else: what shall be done is decided in `engine`.
//!
//! ```text
//!   watches ──> Caches ──ring──> Canary (one per resource, owns its timer and status) ──> Router   ──> Kubernetes API
//!                  │                 ▲                                               ├──> Metrics  ──> metrics servers
//!                  └──> Supervisor ──┘ (spawns, re-creates)                          ├──> Webhook  ──> hooks
//!                                                                                    └──> Notifier ──> Events, chats
//! ```
//!
//! Read in this order: [`world`], [`mail`], then the actors.

pub mod caches;
pub mod cluster;
pub mod election;
pub mod mail;
pub mod router;
pub mod world;
