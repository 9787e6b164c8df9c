//! The CRD manifests, generated from the types of this crate.
