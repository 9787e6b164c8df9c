//! Routes: what a canary's traffic objects must look like for a split, and which split they show.
//!
//! What it is: a table of providers, one file each. A provider is a value: what it can do, which objects it has, what they must be, what
//! they say. What it is not: a decision about the split, or I/O. A new provider is one new file and one line in `PROVIDERS`.
//!
//! [`Provider::desired`] always carries the split that is asked for, so repairing a foreign edit at weight 40 leaves 40 (the peer falls
//! back to 100/0: RM-1, W-8).

mod adoption;
mod affinity;
mod apisix;
mod app_mesh;
mod capabilities;
mod conditions;
mod contour;
mod copied;
mod flags;
mod gateway_api;
mod gloo;
mod ingress;
mod istio;
mod kept;
mod knative;
mod kubernetes;
mod kuma;
mod nginx;
mod order;
mod page;
mod skipper;
mod smi;
#[cfg(test)]
mod tests;
mod traefik;

use crds::{
    Canary,
    service::{HttpMatch, Service},
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

use crate::{
    ObjectRef, Write, json as tree,
    objects::{self, Kind},
    services::{self, BadPort},
};
use affinity::Rules;

pub use affinity::Cookies;
pub use capabilities::Capabilities;
pub use flags::Flags;
pub use page::page;

/// The providers, one line each, in the order of docs/providers.md.
const PROVIDERS: &[&Provider] = &[
    &gateway_api::V1,
    &gateway_api::V1BETA1,
    &gateway_api::grpc::PROVIDER,
    &gateway_api::tcp::V1,
    &gateway_api::tcp::V1ALPHA2,
    &istio::PROVIDER,
    &smi::LINKERD,
    &smi::OSM,
    &smi::V1ALPHA1,
    &smi::V1ALPHA2,
    &smi::V1ALPHA3,
    &kuma::PROVIDER,
    &app_mesh::V1BETA2,
    &app_mesh::V1BETA1,
    &knative::PROVIDER,
    &nginx::PROVIDER,
    &traefik::PROVIDER,
    &contour::PROVIDER,
    &skipper::PROVIDER,
    &apisix::PROVIDER,
    &gloo::PROVIDER,
    &kubernetes::PROVIDER,
];

/// How traffic is shared, in percent; `primary` and `canary` sum to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Split {
    /// Percent for the primary.
    pub primary: i64,
    /// Percent for the canary.
    pub canary: i64,
    /// Whether the canary gets a copy of requests, too.
    pub mirrored: bool,
}

/// What a provider sees.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The canary.
    pub canary: &'a Canary,
    /// The route objects as they are, in the order of [`Provider::objects`]; `None` for one that is not there.
    pub current: Vec<Option<&'a Value>>,
    /// Key of the selector label. Where the Canary has a `service.apex` block, the route carries `<key>: <apex>` (routers-mesh.md 0.5).
    pub selector_key: Option<&'a str>,
    /// Value of that label on the target's pods; the primary's carry `<value>-primary`.
    pub selector_value: Option<&'a str>,
    /// Chance for the value of a new cookie; the same at every replay of one step. Reading an object needs none.
    pub entropy: u64,
    /// What the command line says.
    pub flags: Flags<'a>,
}

/// A traffic provider.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    /// Its name in `spec.provider`.
    pub name: &'static str,
    /// Whose traffic it is, in a few words: for docs/providers.md.
    pub about: &'static str,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The kinds of its objects. They are watched, and deploy/kustomize/base/rbac.yaml must allow to write them.
    pub kinds: &'static [Kind],
    /// What its owner should know beyond the table, in full sentences; may be empty.
    pub notes: &'static str,
    /// Whether it answers to this value of `spec.provider` or `-mesh-provider`.
    claims: fn(&str) -> bool,
    objects: fn(&Canary) -> Vec<ObjectRef>,
    desired: fn(&Context<'_>, Split, &Rules) -> Result<Vec<Value>, Refused>,
    observed: fn(&Context<'_>) -> Result<Split, Unready>,
    accepted: fn(&Context<'_>) -> Result<(), Unready>,
    /// The objects as they were before the Canary, in the order of `objects`; `None` for one that stays, null for one that is deleted.
    reverted: fn(&Context<'_>) -> Vec<Option<Value>>,
}

/// Why a Canary cannot be routed as it is written. Only an edit of the Canary helps.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// No usable `spec.service.port`.
    #[error(transparent)]
    Port(#[from] BadPort),
    /// A field says something that the provider has no words for.
    #[error("spec.{path}: {why}")]
    Field {
        /// Path below `spec`.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// What the route is made from is not there, or has no place for it. Unlike the others, mending that object helps, too.
    #[error("{0}")]
    Source(String),
}

/// Why the split cannot be told, or cannot be trusted to be in force yet. Looking again may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unready {
    /// The route object is not there.
    #[error("{0} does not exist")]
    Absent(String),
    /// The route object does not share traffic between primary and canary.
    #[error("{0} has no rule that shares traffic between primary and canary")]
    NoSplit(String),
    /// What the route is made from is not there any more, or has no place for it.
    #[error("{0}")]
    Source(String),
    /// The gateway has not taken the route over.
    #[error("{route} is not accepted by its parent {parent}: {why}")]
    NotAccepted {
        /// The route object, as it is shown.
        route: String,
        /// The parent, `<namespace>/<name>`.
        parent: String,
        /// What the parent says.
        why: String,
    },
}

/// The provider that answers to this name (routers-mesh.md 0.3). `None` for any other: nothing falls back to Istio here (RM-13).
pub fn provider(name: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().copied().find(|provider| (provider.claims)(name))
}

/// All providers, in the order of docs/providers.md.
pub fn providers() -> &'static [&'static Provider] {
    PROVIDERS
}

/// The kinds of all providers, each once.
pub fn kinds() -> BTreeSet<Kind> {
    PROVIDERS.iter().flat_map(|provider| provider.kinds).copied().collect()
}

/// What to tell the owner of a Canary whose provider is unknown.
pub fn hint(name: &str) -> String {
    let known: Vec<&str> = PROVIDERS.iter().map(|provider| provider.name).collect();
    let known = known.join(", ");
    match name {
        "" => format!("no provider is set; supported are {known}"),
        "gatewayapi" => "provider \"gatewayapi\" needs a version: use gatewayapi:v1".to_owned(),
        "none" => "provider \"none\" does not exist: use kubernetes for blue/green without a mesh".to_owned(),
        "supergloo" => {
            "provider \"supergloo\" went with the project of that name: use gloo for the gateway, or the provider of the mesh behind it \
             (istio, linkerd, appmesh:v1beta2)"
                .to_owned()
        }
        planned if crds::PROVIDERS.contains(&planned) => {
            format!("provider {planned:?} is not supported by this version; supported are {known}")
        }
        unknown => format!("provider {unknown:?} is not known; supported are {known}"),
    }
}

// === impl Split ===

impl Split {
    /// All traffic on the primary.
    pub const PRIMARY: Self = Self::of(0);
    /// All traffic on the canary.
    pub const CANARY: Self = Self::of(100);

    /// So many percent on the canary, cut to 0..=100, the rest on the primary.
    pub const fn of(canary: i64) -> Self {
        let canary = match canary {
            i64::MIN..0 => 0,
            101..=i64::MAX => 100,
            within => within,
        };
        Self {
            primary: 100 - canary,
            canary,
            mirrored: false,
        }
    }

    /// The split of these shares, whatever their sum; `None` where both are nothing.
    pub(crate) fn of_shares(primary: i64, canary: i64) -> Option<Self> {
        let (primary, canary) = (primary.max(0), canary.max(0));
        let total = primary.saturating_add(canary);
        let percent = || canary.saturating_mul(100).saturating_add(total / 2) / total;
        (total > 0).then(|| Self::of(percent()))
    }

    /// The same with copies of requests for the canary.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        Self { mirrored: true, ..self }
    }
}

// === impl Provider ===

impl Provider {
    /// The objects that carry the route, in the order in which they are written; behind them those that are only read.
    pub fn objects(&self, canary: &Canary) -> Vec<ObjectRef> {
        (self.objects)(canary)
    }

    /// The objects as they must be for this split, whole, in the order of [`Self::objects`]; made from the current ones, so that
    /// foreign fields survive and a second pass finds nothing to do. Null, or nothing at the end, for one that is left alone.
    pub fn desired(&self, context: &Context<'_>, split: Split) -> Result<Vec<Value>, Refused> {
        let analysis = context.canary.spec.analysis.as_ref();
        let cookies = self.cookies(context, split);
        let rules = analysis
            .zip(cookies)
            .map(|(analysis, cookies)| cookies.rules(analysis, split));
        (self.desired)(context, split, &rules.unwrap_or_default())
    }

    /// The cookies that the objects carry at this split; `None` without session affinity. They belong into the status that is saved
    /// after the objects are written.
    pub fn cookies(&self, context: &Context<'_>, split: Split) -> Option<Cookies> {
        let observed = self.observed(context).ok();
        Cookies::of(context, split, observed).filter(|_| self.capabilities.affinity)
    }

    /// Paths below `spec` that say nothing to this provider. They stop nothing, as with the peer, but their owner is told.
    pub fn without_effect(&self, canary: &Canary) -> Vec<&'static str> {
        gateway_api::without_effect(canary, self.kinds, self.capabilities.without_effect(canary))
    }

    /// Why this Canary cannot be routed as it is written, whatever there is in the cluster.
    pub fn refused(&self, canary: &Canary) -> Option<Refused> {
        let context = Context {
            canary,
            current: vec![None; self.objects(canary).len()],
            selector_key: None,
            selector_value: None,
            entropy: 0,
            flags: Flags::default(),
        };
        let refused = self.desired(&context, Split::PRIMARY).err();
        refused.filter(|refused| !matches!(refused, Refused::Source(_)))
    }

    /// The writes that bring the objects to this split; empty where nothing differs.
    pub fn writes(&self, context: &Context<'_>, split: Split) -> Result<Vec<Write>, Refused> {
        let desired = self.desired(context, split)?;
        let objects = self.objects(context.canary).into_iter().enumerate().zip(desired);
        Ok(objects
            .filter(|(_, desired)| !desired.is_null())
            .filter_map(|((at, object), desired)| Write::towards(object, context.at(at), desired))
            .collect())
    }

    /// The split that the objects show. Weights that do not sum to 100 are read as shares.
    pub fn observed(&self, context: &Context<'_>) -> Result<Split, Unready> {
        (self.observed)(context)
    }

    /// Whether the data plane has taken the objects over. Apart from [`Self::observed`], so that a gateway that says no holds the run
    /// without hiding the weights from a rollback (RM-11).
    pub fn accepted(&self, context: &Context<'_>) -> Result<(), Unready> {
        (self.accepted)(context)
    }

    /// The writes that bring back what objects said that were there before the Canary (`revertOnDeletion`, routers-mesh.md 0.8).
    pub fn reverts(&self, context: &Context<'_>) -> Vec<Write> {
        let objects = self.objects(context.canary).into_iter().enumerate();
        objects
            .zip((self.reverted)(context))
            .filter_map(|((at, object), desired)| match desired? {
                Value::Null => Write::removal(object, context.at(at)),
                desired => Write::towards(object, context.at(at), desired),
            })
            .collect()
    }
}

// === impl Refused ===

impl Refused {
    fn field(path: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Field {
            path: path.into(),
            why: why.into(),
        }
    }
}

// === impl Context ===

impl<'a> Context<'a> {
    fn at(&self, place: usize) -> Option<&'a Value> {
        self.current.get(place).copied().flatten()
    }

    /// Whom an A/B test chooses. Nobody where the analysis is skipped, so that what it says never stands in the way of an emergency release.
    fn chosen(&self) -> &'a [HttpMatch] {
        let analysis = self.canary.spec.analysis.as_ref();
        let analysis = analysis.filter(|_| !self.canary.spec.skips_analysis());
        analysis.map_or(&[], |analysis| &analysis.matches)
    }

    fn service(&self) -> Result<&'a Service, Refused> {
        let service = self.canary.spec.service.as_ref();
        Ok(service.ok_or(BadPort::NoService)?)
    }

    /// `object` with the route metadata of routers-mesh.md 0.5 and 0.6: labels are replaced, annotations merged over the live ones. Labels
    /// that the Canary lists as unmanaged are kept (RM-19).
    fn dressed(&self, mut object: Value, service: &Service) -> Value {
        let apex = service.apex.as_ref();
        let mut labels = apex.map(|apex| apex.labels.clone()).unwrap_or_default();
        if let (Some(key), Some(_)) = (self.selector_key, apex) {
            labels.insert(key.to_owned(), self.canary.spec.apex_name().to_owned());
        }
        let unmanaged = service.unmanaged_metadata.as_ref();
        let keys = unmanaged.map_or(&[][..], |unmanaged| &unmanaged.labels);
        let labels = services::with_unmanaged(labels, &objects::metadata_map(&object, "labels"), keys);
        put_or_remove(&mut object["metadata"], "labels", !labels.is_empty(), json!(labels));

        let mut annotations = objects::metadata_map(&object, "annotations");
        annotations.extend(apex.into_iter().flat_map(|apex| apex.annotations.clone()));
        let annotations = services::with_gitops(annotations);
        tree::set(&mut object, &["metadata", "annotations"], json!(annotations));
        object
    }

    /// A new object of this reference, owned by the canary, without labels, annotations and spec. What belongs to the whole cluster cannot be
    /// owned by what is in a namespace.
    fn fresh(&self, object: &ObjectRef) -> Value {
        let mut metadata = json!({ "name": object.name });
        if object.kind.is_namespaced() {
            metadata["namespace"] = json!(object.namespace);
            metadata["ownerReferences"] = json!([objects::owner_reference(self.canary)]);
        }
        json!({"apiVersion": object.kind.api_version(), "kind": object.kind.kind, "metadata": metadata})
    }
}

/// Set the field where it is `present`, else take it away: the API server does not store empty lists and maps of these kinds.
fn put_or_remove(object: &mut Value, key: &str, present: bool, value: Value) {
    if present {
        tree::set(object, &[key], value);
    } else if let Some(fields) = object.as_object_mut() {
        fields.remove(key);
    }
}
