//! What the comparison with Flagger's CRDs needs: its CRDs on the server, and objects to try.

pub(crate) mod peer;
pub(crate) mod probes;
