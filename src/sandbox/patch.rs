//! The patch formats that are served: JSON merge patch and JSON patch.

use super::failure::Failure;
use serde_json::Value;

/// One patch, read and ready to apply.
#[derive(Debug)]
pub(super) enum Patch {
    /// RFC 7386
    Merge(Value),
    /// RFC 6902
    Json(json_patch::Patch),
}

// === impl Patch ===

impl Patch {
    /// Read the body by its content type.
    pub(super) fn parse(content_type: &str, body: &[u8]) -> Result<Self, Failure> {
        let media = content_type.split(';').next().unwrap_or_default().trim();
        let unread = |error: serde_json::Error| Failure::BadRequest(format!("cannot read the patch: {error}"));
        match media {
            "application/merge-patch+json" => serde_json::from_slice(body).map(Self::Merge).map_err(unread),
            "application/json-patch+json" => serde_json::from_slice(body).map(Self::Json).map_err(unread),
            _ => Err(Failure::MediaType(format!(
                "accepted media types include: application/json-patch+json, application/merge-patch+json, not {media}"
            ))),
        }
    }

    /// What the patch makes of the object.
    pub(super) fn apply(&self, current: &Value) -> Result<Value, Failure> {
        let mut object = current.clone();
        match self {
            Self::Merge(patch) => engine::json::merge(&mut object, patch),
            Self::Json(patch) => json_patch::patch_unsafe(&mut object, patch)
                .map_err(|error| Failure::Unprocessable(error.to_string()))?,
        }
        Ok(object)
    }
}
