//! Flags of the controller that routes depend on.

use crate::Settings;

/// What the command line says to routes.
#[derive(Clone, Copy, Debug)]
pub struct Flags<'a> {
    /// What the NGINX controller's annotations begin with.
    pub annotations_prefix: &'a str,
    /// Class of Contour's proxies, empty for none.
    pub ingress_class: &'a str,
}

// === impl Flags ===

impl<'a> Flags<'a> {
    /// Those of the controller.
    pub fn of(settings: &'a Settings) -> Self {
        Self {
            annotations_prefix: &settings.ingress_annotations_prefix,
            ingress_class: &settings.ingress_class,
        }
    }
}

impl Default for Flags<'_> {
    fn default() -> Self {
        Self {
            annotations_prefix: "nginx.ingress.kubernetes.io",
            ingress_class: "",
        }
    }
}
