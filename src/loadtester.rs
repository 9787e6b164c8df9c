//! `aviary loadtester`: runs load, acceptance tests and gates for hooks, drop-in for Flagger's (loadtester.md).
//!
//! Read in this order: `http` (what is asked), `order` (what a payload asks for), `ledger` (what runs when), `work` (how it is done),
//! `load` (our own generator), `gates`.

mod args;
mod concord;
mod gates;
mod http;
mod ledger;
mod load;
mod ngrinder;
mod order;
mod pages;
mod run;
mod series;
mod storage;
mod task;
mod tasks;
mod work;

pub use args::Args;
pub use run::main;
