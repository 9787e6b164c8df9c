//! The controller's mind: pure functions from what is known to what shall be done.
//!
//! What it is: the rollout state machine as one function, [`step`](step::step), and the parts it is made of. What it is not: I/O.
//! There is no tokio, no Kubernetes client, no clock and no source of chance in here; `actors` brings all of them.
//!
//! ```text
//!   canary, view, evidence, now, entropy ──> step ──> Ask  (reads, hooks, queries)   ┐ executed by actors,
//!                                                 ├─> Do   (ordered writes)          ┘ outcomes appended to the evidence
//!                                                 └─> Done (one status write, events, alerts, when to wake)
//! ```
//!
//! Read in this order: [`seam`] (the vocabulary), [`step`] (the state machine), then the part you came for:
//! [`services`], [`routes`], [`workloads`], [`configs`], [`readiness`], [`metrics`], [`hooks`], [`alerts`], [`invariants`].

pub mod alerts;
pub mod configs;
pub mod hooks;
pub mod http;
pub mod invariants;
pub mod json;
pub mod metrics;
pub mod model;
pub mod objects;
pub mod readiness;
pub mod retry;
pub mod revision;
pub mod routes;
pub mod scalers;
pub mod seam;
pub mod services;
pub mod settings;
pub mod status;
pub mod step;
pub mod workloads;

pub use objects::{Kind, ObjectRef};
pub use seam::{Ask, Done, Event, Outcome, Seen, Step, View, Write};
pub use settings::Settings;
