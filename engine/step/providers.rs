//! Are the metric providers there? Asked once, when a canary is initialised; a missing one is told and holds nothing up.

use super::{
    Cx, Flow,
    queries::{self, Aim, Reader},
};
use crate::{
    metrics::{
        Source, prometheus,
        texts::{PROVIDERS_AVAILABLE, providers_unavailable},
    },
    seam::{Ask, Event, Outcome, Trouble},
};

/// Probe the server of every builtin check and template; inline queries are not probed, as with the peer (analysis.md 2.3).
pub(super) fn probe(cx: &mut Cx<'_>) -> Flow<()> {
    if cx.canary.spec.skips_analysis() {
        return Ok(());
    }
    let mut questions = queries::questions(cx, Aim::Probe)?;
    questions.retain(|question| !matches!(question.source, Source::Inline(_) | Source::Nothing));
    let asks = questions.iter().filter_map(|question| question.asked.as_ref().ok());
    let asks: Vec<Ask> = asks.map(|(question, _)| question.clone().ask()).collect();
    let mut answers = cx.ask(asks)?.into_iter();
    for question in &questions {
        let online = match &question.asked {
            Err(cause) => Err(cause.clone()),
            Ok((_, reader)) => online(*reader, answers.next()),
        };
        if let Err(cause) = online {
            cx.event(Event::error(cx.phase, providers_unavailable(&cause)));
            return Ok(());
        }
    }
    cx.say(PROVIDERS_AVAILABLE.to_owned());
    Ok(())
}

fn online(reader: Reader, answer: Option<Outcome>) -> Result<(), String> {
    let answer = match answer {
        Some(Outcome::Answer(answer)) => answer,
        _ => Err(Trouble::Skipped),
    };
    match (reader, &answer) {
        (Reader::Provider(provider), _) => provider.online(&answer),
        (Reader::Prometheus, Ok(response)) => prometheus::available(response),
        (Reader::Prometheus, Err(trouble)) => Err(format!("request failed: {trouble}")),
    }
}
