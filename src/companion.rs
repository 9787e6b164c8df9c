//! What the two companions of the controller share: the load tester and the k6 webhook take the same payload (loadtester.md 1.1),
//! run programs of others, and answer over HTTP.
//!
//! Read in this order: `payload`, `program` (one process group with a limit), `brake` (how it is stopped), `server`.

pub(crate) mod access;
pub(crate) mod brake;
pub(crate) mod children;
pub(crate) mod output;
pub(crate) mod page;
pub(crate) mod payload;
pub(crate) mod program;
pub(crate) mod redaction;
pub(crate) mod server;
pub(crate) mod words;
