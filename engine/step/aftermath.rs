//! After the status of a finished run is saved: post-rollout hooks, and the last event.

use crds::Phase;

use super::{Cx, Flow, gates, texts};
use crate::{
    hooks::{self, Kind, report},
    seam::{Done, Ending, Event},
};

/// Call the post-rollout hooks and say that the run is over. The hooks see the final phase in the cluster as well as in their payload.
pub(super) fn tell(cx: &mut Cx<'_>, ending: Ending) -> Flow<Done> {
    cx.skip_marker();
    let (payload_phase, event_phase) = match ending {
        Ending::Promoted | Ending::Skipped => (Phase::Succeeded, Phase::Succeeded),
        Ending::Failed(before) => (Phase::Failed, before),
    };
    for hook in hooks::of_kind(cx.canary, Kind::PostRollout) {
        let outcome = gates::call(cx, hook, payload_phase)?;
        if let Some(event) = report(Kind::PostRollout, cx.canary, &hook.name, &outcome, event_phase) {
            cx.event(event);
        }
        if outcome.is_err() {
            break;
        }
    }
    match ending {
        Ending::Promoted => cx.event(Event::normal(event_phase, texts::completed(&cx.target_name()))),
        Ending::Skipped => cx.event(Event::normal(event_phase, texts::completed_skipped(&cx.target_name()))),
        Ending::Failed(_) => {}
    }
    let mut done = cx.idle("the run has ended");
    done.wake = Some(cx.now);
    Ok(done)
}
