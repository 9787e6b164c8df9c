//! Reading the ConfigMaps and Secrets that the target refers to: their data only when it has changed or must be copied.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Cx, Flow, context::Pause, ensure::Target, outage};
use crate::{
    ObjectRef,
    configs::{self, Digest, Reference},
    objects::resource_version,
    seam::{Ask, Outcome, Seen, Trouble},
};

/// The tracked configs of the target as this step sees them.
pub(super) struct Configs {
    /// What is copied for the primary.
    pub(super) tracked: BTreeSet<ObjectRef>,
    /// `status.trackedConfigs`; absent when tracking is off.
    pub(super) checksums: Option<BTreeMap<String, String>>,
}

/// A config and its copy for the primary, with data.
pub(super) struct Pair {
    pub(super) source_ref: ObjectRef,
    pub(super) source: Arc<Value>,
    pub(super) copy_ref: ObjectRef,
    pub(super) copy: Option<Arc<Value>>,
}

/// Look at every reference of the target's pod template; read those whose version is not known yet.
pub(super) fn of(cx: &mut Cx<'_>, target: &Target) -> Flow<Configs> {
    if !cx.settings.config_tracking || !target.workload.has_pods() {
        return Ok(Configs {
            tracked: BTreeSet::new(),
            checksums: None,
        });
    }
    let template = &target.object["spec"]["template"];
    let references = configs::references(template, cx.canary.namespace());
    let mut digests: Vec<(Reference, Digest)> = Vec::new();
    let mut unread = Vec::new();
    for reference in references {
        match look(cx, &reference)? {
            Look::Absent => {}
            Look::Known(digest) => digests.push((reference, digest)),
            Look::Unread => unread.push(reference),
        }
    }
    let asks = unread
        .iter()
        .map(|reference| Ask::Read(reference.object.clone()))
        .collect();
    for (reference, outcome) in unread.iter().zip(cx.ask(asks)?) {
        if let Some(object) = read(cx, &reference.object, outcome)? {
            digests.push((reference.clone(), configs::digest(&object)));
        } else if !reference.optional {
            return Err(missing(cx, reference));
        }
    }
    digests.retain(|(_, digest)| digest.tracked);
    Ok(Configs {
        tracked: digests.iter().map(|(reference, _)| reference.object.clone()).collect(),
        checksums: Some(
            digests
                .into_iter()
                .map(|(reference, digest)| (reference.key(), digest.checksum))
                .collect(),
        ),
    })
}

enum Look {
    Absent,
    Known(Digest),
    Unread,
}

fn look(cx: &mut Cx<'_>, reference: &Reference) -> Flow<Look> {
    match cx.object(&reference.object) {
        Seen::Present(metadata) => {
            let known = cx.view.digest(&reference.object, resource_version(&metadata));
            Ok(known.map_or(Look::Unread, Look::Known))
        }
        Seen::Absent | Seen::NoSuchKind if reference.optional => Ok(Look::Absent),
        Seen::Absent | Seen::NoSuchKind => Err(missing(cx, reference)),
    }
}

fn missing(cx: &mut Cx<'_>, reference: &Reference) -> Pause {
    let target = cx.target_name();
    outage::without_part(
        cx,
        format!("{} is referenced by {target} but missing", reference.object),
    )
}

/// The object of a read, or the end of the step where it could not be read.
pub(super) fn read(cx: &mut Cx<'_>, object: &ObjectRef, outcome: Outcome) -> Flow<Option<Arc<Value>>> {
    match outcome {
        Outcome::Read(Ok(found)) => Ok(found),
        Outcome::Read(Err(trouble)) => Err(cx.troubled(object, &trouble)),
        _ => Err(cx.troubled(object, &Trouble::Skipped)),
    }
}

/// Read all tracked configs and their copies, to copy them.
pub(super) fn pairs(cx: &mut Cx<'_>, tracked: &BTreeSet<ObjectRef>) -> Flow<Vec<Pair>> {
    let refs: Vec<(ObjectRef, ObjectRef)> = tracked
        .iter()
        .map(|source| (source.clone(), configs::copy_ref(source)))
        .collect();
    let asks = refs
        .iter()
        .flat_map(|(source, copy)| [Ask::Read(source.clone()), Ask::Read(copy.clone())])
        .collect();
    let mut outcomes = cx.ask(asks)?.into_iter();
    let mut pairs = Vec::new();
    for (source_ref, copy_ref) in refs {
        let (Some(source), Some(copy)) = (outcomes.next(), outcomes.next()) else {
            break;
        };
        let Some(source) = read(cx, &source_ref, source)? else {
            return Err(cx.blocked(format!("{source_ref} is gone")));
        };
        let copy = read(cx, &copy_ref, copy)?;
        pairs.push(Pair {
            source_ref,
            source,
            copy_ref,
            copy,
        });
    }
    Ok(pairs)
}
