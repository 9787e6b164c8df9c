//! One check: hooks first, then all metrics. Failing adds one failed check and leaves the weight as it is.

use crds::Phase;
use std::time::Duration;

use super::{
    Cx, Flow,
    context::after,
    ensure::Release,
    gates,
    queries::{self, Aim, Question, Reader},
    rollout, texts,
};
use crate::{
    hooks::{Kind, report},
    metrics::{
        self, Reading,
        policy::{self, Policy},
        prometheus,
    },
    seam::{Ask, Done, Event, Measure, Outcome, Trouble, Verdict},
};

/// Run the check. `Some` is the end of a step whose check failed.
pub(super) fn run(cx: &mut Cx<'_>, release: &Release) -> Flow<Option<Done>> {
    let first = release.split.canary == 0 && cx.status().iterations == 0 && !release.split.mirrored;
    let passed = if first {
        cx.say(texts::starting(&cx.target_name()));
        hooks(cx, Kind::PreRollout)?
    } else {
        hooks(cx, Kind::Rollout)?
    };
    if first || !passed {
        return Ok((!passed).then(|| fail(cx)));
    }
    Ok(match measure(cx)? {
        Policy::Ignore => None,
        Policy::Hold if !is_overdue(cx) => Some(hold(cx)),
        Policy::Hold | Policy::Fail => Some(fail(cx)),
    })
}

fn hooks(cx: &mut Cx<'_>, kind: Kind) -> Flow<bool> {
    for hook in crate::hooks::of_kind(cx.canary, kind) {
        let outcome = gates::call(cx, hook, Phase::Progressing)?;
        if let Some(event) = report(kind, cx.canary, &hook.name, &outcome, cx.phase) {
            cx.event(event);
        }
        if outcome.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Ask for all metrics at once and judge them in order. All values are exported; the first that halts is told (W-30 in part). Gives
/// what follows: nothing from a check that passed, the worst of the others.
fn measure(cx: &mut Cx<'_>) -> Flow<Policy> {
    let questions = queries::questions(cx, Aim::Value)?;
    let asks: Vec<Ask> = questions
        .iter()
        .filter_map(|question| question.asked.as_ref().ok())
        .map(ask)
        .collect();
    let mut answers = cx.ask(asks)?.into_iter();
    let mut worst = Policy::Ignore;
    for question in &questions {
        let check = match &question.asked {
            Err(cause) => metrics::judge::unusable(question.metric, &question.source, cause),
            Ok((_, reader)) => judge(cx, question, *reader, answers.next()),
        };
        if let Some(value) = check.value {
            let value = metrics::exported(&question.source, value);
            cx.measure(Measure::Metric {
                name: question.metric.name.clone(),
                value,
            });
        }
        let policy = policy::of(cx.canary, check.verdict);
        let is_first = worst == Policy::Ignore;
        if policy == Policy::Fail || is_first {
            worst = policy;
        }
        if policy != Policy::Ignore && is_first {
            let event = match check.verdict {
                Verdict::Unavailable => Event::error(cx.phase, check.why.clone()),
                _ => Event::warning(cx.phase, check.why.clone()),
            };
            cx.event(event);
        }
        cx.check(check);
    }
    Ok(worst)
}

fn ask((question, _): &(metrics::Question, Reader)) -> Ask {
    question.clone().ask()
}

fn judge(cx: &Cx<'_>, question: &Question<'_>, reader: Reader, answer: Option<Outcome>) -> crate::seam::Check {
    let answer = match answer {
        Some(Outcome::Answer(answer)) => answer,
        _ => Err(Trouble::Skipped),
    };
    let reading = match (reader, &answer) {
        (Reader::Provider(provider), _) => provider.read(&answer),
        (Reader::Prometheus, Ok(response)) => prometheus::parse(response),
        (Reader::Prometheus, Err(trouble)) => Reading::Failed(format!("request failed: {trouble}")),
    };
    let provider = metrics::provider_name(cx.canary, cx.settings);
    metrics::judge(question.metric, &question.source, &reading, cx.canary, &provider)
}

/// Whether nothing has moved for so long that holding has to end (L2).
fn is_overdue(cx: &Cx<'_>) -> bool {
    let seconds = u64::try_from(cx.canary.spec.progress_deadline_seconds()).unwrap_or(0);
    let moved = cx.status().last_transition_time.unwrap_or(cx.now);
    cx.now >= after(moved, Duration::from_secs(seconds))
}

/// Nothing can be told from the metrics, and the owner wants to wait (AN-12).
fn hold(cx: &Cx<'_>) -> Done {
    cx.wake_in("hold", "the metrics tell nothing", cx.interval())
}

/// One failed check more. At the threshold the run is rolled back at once: documented is `interval * threshold` (controller.md 4.10).
fn fail(cx: &Cx<'_>) -> Done {
    let failed = cx.status().failed_checks + 1;
    let wake = if failed >= cx.analysis().threshold() {
        cx.now
    } else {
        after(cx.now, cx.interval())
    };
    let draft = rollout::accepted_draft(cx).with(|status| status.failed_checks = failed);
    cx.save("halt", format!("failed checks: {failed}"), draft, wake)
}
