//! What a check means that tells nothing: no data, or no answer from the provider (AN-12).
//!
//! Both count as failed checks, as with the peer, unless the owner of the canary says otherwise in annotations of the Canary; Flagger
//! passes over them.

use crds::Canary;

use crate::seam::Verdict;

/// Annotation for queries that find nothing.
pub const ON_NO_DATA: &str = "aviary/on-no-data";
/// Annotation for providers that do not answer properly, and for templates that cannot be asked.
pub const ON_ERROR: &str = "aviary/on-metrics-error";

/// What to do with such a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// A failed check.
    Fail,
    /// Neither good nor bad: the weight stays. From `progressDeadlineSeconds` after the last move on, a failed check.
    Hold,
    /// As if the metric were not in the list.
    Ignore,
}

/// The policy for a check with this verdict. What cannot be read is `Fail`; [`unreadable`] tells.
pub fn of(canary: &Canary, verdict: Verdict) -> Policy {
    let name = match verdict {
        Verdict::Pass => return Policy::Ignore,
        Verdict::Fail => return Policy::Fail,
        Verdict::NotEnough => ON_NO_DATA,
        Verdict::Unavailable => ON_ERROR,
    };
    annotation(canary, name).and_then(parse).unwrap_or(Policy::Fail)
}

/// What to tell the owner about an annotation that says none of the policies.
pub fn unreadable(canary: &Canary) -> Option<String> {
    let odd = |name: &&str| annotation(canary, name).is_some_and(|text| parse(text).is_none());
    let name = [ON_NO_DATA, ON_ERROR].into_iter().find(|name| odd(&name))?;
    Some(format!(
        "annotation {name} is none of fail, hold and ignore; it counts as fail"
    ))
}

fn annotation<'c>(canary: &'c Canary, name: &str) -> Option<&'c str> {
    let annotations = canary.metadata.annotations.as_ref()?;
    annotations.get(name).map(String::as_str)
}

fn parse(text: &str) -> Option<Policy> {
    match text {
        "fail" | "" => Some(Policy::Fail),
        "hold" => Some(Policy::Hold),
        "ignore" => Some(Policy::Ignore),
        _ => None,
    }
}
