//! The patch formats: JSON patch, JSON merge patch, strategic merge patch, and what server-side apply sends.

use super::{failure::Failure, kinds::Resource, lists::Site, strategic};
use serde_json::Value;

/// One patch, read and ready to apply.
#[derive(Debug)]
pub(super) enum Patch {
    /// RFC 7386
    Merge(Value),
    /// RFC 6902
    Json(json_patch::Patch),
    /// Merge that knows the keys of lists; builtin kinds only.
    Strategic(Value),
    /// The wish of a field manager.
    Apply(Value),
}

// === impl Patch ===

impl Patch {
    /// Read the body by its content type.
    pub(super) fn parse(resource: &Resource, content_type: &str, body: &[u8]) -> Result<Self, Failure> {
        let media = content_type.split(';').next().unwrap_or_default().trim();
        let unread = |error: serde_json::Error| Failure::BadRequest(format!("cannot read the patch: {error}"));
        match media {
            "application/merge-patch+json" => serde_json::from_slice(body).map(Self::Merge).map_err(unread),
            "application/json-patch+json" => serde_json::from_slice(body).map(Self::Json).map_err(unread),
            "application/strategic-merge-patch+json" if !resource.custom => {
                serde_json::from_slice(body).map(Self::Strategic).map_err(unread)
            }
            "application/apply-patch+yaml" => {
                // JSON is YAML, and most clients send that.
                let config = serde_json::from_slice(body).or_else(|_| serde_saphyr::from_slice(body));
                let unread = |error| Failure::BadRequest(format!("cannot read the applied object: {error}"));
                config.map(Self::Apply).map_err(unread)
            }
            "application/apply-patch+cbor" => Err(Failure::Lacking(format!("read {media}; send JSON"))),
            _ => {
                let strategic = if resource.custom {
                    ""
                } else {
                    "application/strategic-merge-patch+json, "
                };
                Err(Failure::MediaType(format!(
                    "accepted media types include: application/json-patch+json, application/merge-patch+json, \
                     {strategic}application/apply-patch+yaml, not {media}"
                )))
            }
        }
    }

    /// What the patch makes of the object. What is applied server-side goes another way.
    pub(super) fn apply(&self, resource: &Resource, current: &Value) -> Result<Value, Failure> {
        let mut object = current.clone();
        match self {
            Self::Merge(patch) | Self::Apply(patch) => engine::json::merge(&mut object, patch),
            Self::Strategic(patch) => strategic::merge(&mut object, patch, Site::root(resource))?,
            Self::Json(patch) => json_patch::patch_unsafe(&mut object, patch)
                .map_err(|error| Failure::Unprocessable(error.to_string()))?,
        }
        Ok(object)
    }
}
