//! Before anything is looked at: what cannot work is refused, what is suspended rests, what is new is registered.

use crds::{Canary, Phase, analysis::Strategy, decode::Unreadable, legacy::Translation, problems::Problem};
use serde_json::json;

use super::{
    Cx, Flow, Input, Pause,
    context::{IDLE_RESYNC, after, is_outdated},
    outage, queries, texts,
};
use crate::{
    json::merge_diff,
    objects::kinds,
    routes,
    seam::{Act, Done, Event, Measure, Write},
    status::{ACCEPTED, Draft, HELD, UNUSABLE_METRIC},
    workloads::Workload,
};

/// Finalizer of canaries with `revertOnDeletion` (controller.md 5.11).
pub(super) const FINALIZER: &str = "finalizer.flagger.app";
/// Reason of condition `Accepted` when the spec asks for something that cannot work.
const INVALID: &str = "InvalidSpec";
/// Reason of condition `Accepted` when the target is not there.
pub(super) const NO_TARGET: &str = "TargetNotFound";
/// Reason of condition `Accepted` when the primary is lost, and with it what was promoted.
pub(super) const NO_PRIMARY: &str = "PrimaryLost";
/// Reason of condition `Accepted` when the object that the route is made from, or its kind, is not there or has no place for it.
pub(super) const NO_SOURCE: &str = "RouteSourceNotFound";
/// Reason of condition `Accepted` while the spec is written in an older form that is read as if it were today's.
const TRANSLATED: &str = "Translated";
/// Reason of condition `Held` while `spec.suspend` is true.
const SUSPENDED: &str = "Suspended";

/// Tell the owner of an object that could not even be read. The input's canary holds what could be: metadata and status. A run that is
/// on its way waits for the mending until its deadline, the default one; there is nobody to tell of its end but by Event.
pub fn refused(input: Input<'_>, unreadable: &Unreadable) -> Done {
    let mut cx = Cx::new(input);
    let Pause::End(done) = refuse(&mut cx, INVALID, unreadable.to_string()) else {
        return Done::default();
    };
    Done {
        aftermath: None,
        ..cx.close(*done)
    }
}

/// Whether the owner has been told just this, of this generation.
fn is_told(canary: &Canary, reason: &str, message: &str) -> bool {
    if is_outdated(canary) {
        return false;
    }
    let told = canary.status.as_ref().and_then(|status| status.condition(ACCEPTED));
    told.is_some_and(|told| told.reason == reason && told.message.as_deref() == Some(message))
}

fn complaint(draft: Draft, reason: &str, message: &str) -> Draft {
    draft
        .without(ACCEPTED)
        .condition(ACCEPTED, "False", reason, message.to_owned())
}

/// End the step because something cannot work; the owner is told once. What is missing is watched, so mending it is noticed. A run
/// waits for that until its deadline (L2).
pub(super) fn refuse(cx: &mut Cx<'_>, reason: &str, message: String) -> Pause {
    cx.measure(Measure::Accepted(false));
    if is_told(cx.canary, reason, &message) {
        if outage::is_stuck(cx) {
            return outage::stuck(cx, &message);
        }
        let mut done = cx.idle("refused, and unchanged since");
        done.wake = done.wake.into_iter().chain(outage::end_of_obstacle(cx)).min();
        return Pause::end(done);
    }
    cx.event(Event::error(cx.phase, message.clone()));
    let draft = complaint(cx.draft(), reason, &message);
    let waits = outage::end_of_obstacle(cx).is_some();
    let wake = if waits {
        cx.in_an_interval()
    } else {
        after(cx.now, IDLE_RESYNC)
    };
    Pause::end(cx.save("refuse", message, draft, wake))
}

/// Take back a refusal whose reason is gone.
pub(super) fn take_back(cx: &Cx<'_>, reason: &str) -> Flow<()> {
    let status = cx.status();
    if status.condition(ACCEPTED).is_none_or(|told| told.reason != reason) {
        return Ok(());
    }
    let draft = cx.draft().without(ACCEPTED);
    Err(Pause::end(cx.save(
        "accept",
        "what was refused or translated has been mended",
        draft,
        cx.now,
    )))
}

/// End the step when the spec cannot work, and say so once; take the refusal back when it has been mended (W-38, W-39).
pub(super) fn refuse_what_cannot_work(cx: &mut Cx<'_>) -> Flow<()> {
    let problems = problems(cx);
    if !problems.is_empty() {
        return Err(refuse(cx, INVALID, problems.join("; ")));
    }
    let told = cx.status().condition(ACCEPTED).map(|told| told.reason.clone());
    match told.as_deref() {
        // Told by a later part of the step, which takes it back.
        Some(NO_TARGET | NO_PRIMARY | NO_SOURCE | UNUSABLE_METRIC) => Ok(()),
        _ if !cx.legacy.is_empty() => name_translations(cx),
        Some(reason) => take_back(cx, reason),
        None => Ok(()),
    }
}

/// A metric whose query cannot be made, such as one with a broken template, will fail every check: say so at once, before a run finds
/// out. It holds nothing up, as the template may come later, and a run must be able to fail and go back.
pub(super) fn tell_unusable_metric(cx: &mut Cx<'_>) -> Flow<()> {
    let unusable = queries::unusable(cx).filter(|_| !cx.canary.spec.skips_analysis());
    let Some(message) = unusable else {
        take_back(cx, UNUSABLE_METRIC)?;
        cx.measure(Measure::Accepted(true));
        return Ok(());
    };
    cx.measure(Measure::Accepted(false));
    // What holds the canary up is told first: two complaints that take turns would never let it rest.
    let told = cx.status().condition(ACCEPTED).map(|told| told.reason.clone());
    let is_held = told.is_some_and(|reason| [NO_TARGET, NO_PRIMARY, NO_SOURCE].contains(&reason.as_str()));
    if is_held || is_told(cx.canary, UNUSABLE_METRIC, &message) {
        return Ok(());
    }
    cx.event(Event::error(cx.phase, message.clone()));
    let draft = complaint(cx.draft(), UNUSABLE_METRIC, &message);
    Err(Pause::end(cx.save("warn", message, draft, cx.now)))
}

/// Old forms are served; their owner is told once what to write instead.
fn name_translations(cx: &mut Cx<'_>) -> Flow<()> {
    let tell = |old: &Translation| format!("{} is an old form; write {}", old.path, old.instead);
    let message = cx.legacy.iter().map(tell).collect::<Vec<_>>().join("; ");
    let status = cx.status();
    let told = status.condition(ACCEPTED);
    if told.is_some_and(|told| told.reason == TRANSLATED && told.message.as_deref() == Some(message.as_str())) {
        return Ok(());
    }
    cx.say(message.clone());
    let draft = cx
        .draft()
        .without(ACCEPTED)
        .condition(ACCEPTED, "True", TRANSLATED, message);
    Err(Pause::end(cx.save("accept", "old forms are translated", draft, cx.now)))
}

fn problems(cx: &Cx<'_>) -> Vec<String> {
    let spec = &cx.canary.spec;
    let provider = spec.provider.as_deref().unwrap_or(&cx.settings.mesh_provider);
    let mut problems = crds::problems::problems_with(cx.canary, provider);
    if cx.settings.no_cross_namespace_refs {
        problems.extend(crds::problems::cross_namespace(cx.canary));
    }
    let tell = |found: &Problem| format!("{}: {}; {}", found.path, found.problem, found.instead);
    let mut found: Vec<String> = problems.iter().map(tell).collect();
    match routes::provider(provider) {
        None => found.push(format!("spec.provider: {}", routes::hint(provider))),
        Some(known) => found.extend(beyond(known, cx.canary)),
    }
    if let (Some(known), true) = (routes::provider(provider), found.is_empty()) {
        found.extend(known.refused(cx.canary).map(|refused| refused.to_string()));
    }
    let needs_service = Workload::of(&spec.target_ref).is_none_or(Workload::has_pods);
    if spec.service.is_none() && needs_service {
        found.push("spec.service: it is missing; write at least its port".into());
    }
    found
}

/// What is asked of a provider that cannot do it. It is refused, never done by half (RM-3, RM-4).
fn beyond(provider: &routes::Provider, canary: &Canary) -> Vec<String> {
    let mut found = Vec::new();
    let (can, name) = (provider.capabilities, provider.name);
    let spec = &canary.spec;
    let is_service = Workload::of(&spec.target_ref) == Some(Workload::Service);
    if is_service && can.weights && spec.apex_name() != spec.target_ref.name {
        found.push(format!(
            "spec.service.name: the copies of a Service are named after it, so the route would lead to Services that do not exist; \
             remove it, or write {}",
            spec.target_ref.name
        ));
    }
    let missing = can.missing(canary).into_iter();
    found.extend(missing.map(|(path, why)| format!("spec.{path}: the provider is {name}, and {why}; remove it")));
    let Some(analysis) = canary.spec.analysis.as_ref().filter(|_| !canary.spec.skips_analysis()) else {
        return found;
    };
    if analysis.mirror == Some(true) && analysis.strategy() == Strategy::AbTesting {
        found
            .push("spec.analysis.mirror: in an A/B test the chosen requests go to the canary itself; remove it".into());
    }
    found
}

/// Rest while `spec.suspend` is true. Nothing is read or corrected; the status says since when.
pub(super) fn hold_while_suspended(cx: &mut Cx<'_>) -> Flow<()> {
    let held = cx.status().condition(HELD).is_some_and(|held| held.reason == SUSPENDED);
    let suspended = cx.canary.spec.suspend == Some(true);
    let done = match (suspended, held) {
        (false, false) => return Ok(()),
        (true, true) if cx.is_outdated() => observe(cx, "suspended"),
        (true, true) => cx.idle("suspended"),
        (true, false) => {
            cx.say(texts::SUSPENDED.into());
            let message = "spec.suspend is true: nothing is read, corrected or advanced.".to_owned();
            let draft = cx.draft().without(HELD).condition(HELD, "True", SUSPENDED, message);
            cx.save("hold", "suspended", draft, after(cx.now, IDLE_RESYNC))
        }
        (false, true) => cx.save("resume", "no longer suspended", cx.draft().without(HELD), cx.now),
    };
    Err(Pause::end(done))
}

/// Say in the status that this generation has been seen: GitOps tools wait for it (kstatus). Nothing has moved.
pub(super) fn observe(cx: &Cx<'_>, why: &str) -> Done {
    let wake = after(cx.now, IDLE_RESYNC);
    cx.save("observe", why, cx.draft().unmoved(), wake)
}

/// Add or remove the finalizer as `revertOnDeletion` says, or `-revert-on-deletion` where it says nothing (W-18), by a patch of the
/// metadata alone (W-49).
pub(super) fn keep_finalizer(cx: &mut Cx<'_>) -> Flow<()> {
    let asked = cx.canary.spec.revert_on_deletion;
    let wanted = asked.unwrap_or(cx.settings.revert_on_deletion);
    let write = finalizer_write(cx, wanted);
    cx.write([write]).map(drop)
}

/// The write that adds or removes our finalizer, if it is needed.
pub(super) fn finalizer_write(cx: &Cx<'_>, wanted: bool) -> Option<Write> {
    let current = cx.canary.metadata.finalizers.clone().unwrap_or_default();
    let mut desired: Vec<String> = current.iter().filter(|name| *name != FINALIZER).cloned().collect();
    if wanted {
        desired.push(FINALIZER.into());
    }
    let patch = merge_diff(&json!({ "finalizers": current }), &json!({ "finalizers": desired }))?;
    Some(Write {
        object: kinds::CANARY.named(cx.canary.namespace(), cx.canary.name()),
        act: Act::Merge {
            patch: json!({ "metadata": patch }),
            resource_version: cx.canary.metadata.resource_version.clone().unwrap_or_default(),
            generation: None,
        },
    })
}

/// A Canary that nobody has looked at gets its first phase, so that `kubectl` shows that it was noticed.
pub(super) fn register(cx: &mut Cx<'_>) -> Flow<()> {
    if cx.phase != Phase::New {
        return Ok(());
    }
    let draft = cx.draft().phase(Phase::Initializing, cx.kind(), None);
    Err(Pause::end(cx.save("register", "new canary", draft, cx.now)))
}
