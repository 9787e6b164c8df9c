//! One check: hooks first, then all metrics. Failing adds one failed check and leaves the weight as it is.

use crds::Phase;

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
    metrics::{self, Reading, prometheus},
    seam::{Ask, Done, Event, Measure, Outcome, Trouble, Verdict},
};

/// Run the check. `Some` is the end of a step whose check failed.
pub(super) fn run(cx: &mut Cx<'_>, release: &Release) -> Flow<Option<Done>> {
    let first = release.split.canary == 0 && cx.status().iterations == 0 && !release.split.mirrored;
    let passed = if first {
        cx.say(texts::starting(&cx.target_name()));
        hooks(cx, Kind::PreRollout)?
    } else {
        hooks(cx, Kind::Rollout)? && measure(cx)?
    };
    Ok((!passed).then(|| fail(cx)))
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

/// Ask for all metrics at once and judge them in order. All values are exported; the first that does not pass is told (W-30 in part).
fn measure(cx: &mut Cx<'_>) -> Flow<bool> {
    let questions = queries::questions(cx, Aim::Value)?;
    let asks: Vec<Ask> = questions
        .iter()
        .filter_map(|question| question.asked.as_ref().ok())
        .map(ask)
        .collect();
    let mut answers = cx.ask(asks)?.into_iter();
    let mut passed = true;
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
        if check.verdict != Verdict::Pass && passed {
            passed = false;
            let event = match check.verdict {
                Verdict::Unavailable => Event::error(cx.phase, check.why.clone()),
                _ => Event::warning(cx.phase, check.why.clone()),
            };
            cx.event(event);
        }
        cx.check(check);
    }
    Ok(passed)
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
