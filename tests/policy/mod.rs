//! What the test of the admission policies needs.

pub(crate) mod cases;
pub(crate) mod copies;
pub(crate) mod verdicts;
