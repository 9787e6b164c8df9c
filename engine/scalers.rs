//! Autoscalers: the primary's copy of the target's scaler, one file per kind.

pub mod hpa;
