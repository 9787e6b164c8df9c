//! Tracked ConfigMaps and Secrets: which are referenced, what their checksum is, how they are copied for the primary.

use serde::Serialize;

/// What a read of a ConfigMap or Secret gave, without its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Digest {
    /// `status.trackedConfigs` value: first 8 bytes of SHA-256 over the JSON of `data`, in hex (workloads.md 12.2).
    pub checksum: String,
    /// Whether it is tracked: not opted out, and of a tracked type.
    pub tracked: bool,
}
