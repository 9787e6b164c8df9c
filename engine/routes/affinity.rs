//! Session affinity: which cookies a split goes with, and what they mean for a route, in no provider's words (routers-mesh.md 0.9).
//!
//! While the canary has traffic, its responses give out the run's cookie and whoever carries it stays on the canary; with
//! `primaryCookieName` the primary's responses give out a cookie, too, which is another one at each step, so that every step asks
//! everybody else again. Once the canary has none, the cookie is taken back.
//!
//! Cookies live in the status and on the route. The route is written first: a cookie that only the route has is taken over from there,
//! so that a step that was cut off between its two writes sorts no user anew (W-31). Chance comes in as `entropy`, for the canary's
//! cookie alone; the primary's follows from it and from the weight.

#[cfg(test)]
mod tests;

use crds::{
    CanaryStatus, Number,
    analysis::{Analysis, SessionAffinity},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Context, Split};
use crate::settings::INTERVAL_FLOOR;

/// The header that sets a cookie.
pub(super) const SET_COOKIE: &str = "Set-Cookie";
/// The header that carries cookies. The recorded routes write it like this.
pub(super) const COOKIE: &str = "Cookie";

/// Letters of a value: 52^10, about 57 bits.
const VALUE_LETTERS: usize = 10;
const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// `Max-Age` of the canary's cookie, in seconds, where none is given: a day.
const MAX_AGE_SECS: i64 = 86_400;
/// `Max-Age` that makes a browser forget a cookie.
const FORGET: i64 = -1;

/// A cookie's name and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cookie {
    name: String,
    value: String,
}

/// The cookies that go with a split.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cookies {
    canary: Option<Cookie>,
    primary: Option<Cookie>,
    previous: Option<Cookie>,
}

/// What a route must say about cookies. Empty without session affinity.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rules {
    /// Rules in front of the weighted one, in order.
    pub(super) sticky: Vec<Sticky>,
    /// `Set-Cookie` of the primary's responses to what the weighted rule sends there.
    pub(super) on_primary: Option<String>,
    /// The same for the canary.
    pub(super) on_canary: Option<String>,
}

/// A rule for requests that carry a certain cookie.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sticky {
    /// Expression that the header `Cookie` matches.
    pub(super) regex: String,
    /// Where these requests go.
    pub(super) split: Split,
    /// `Set-Cookie` of all responses.
    pub(super) set_cookie: Option<String>,
}

// === impl Cookie ===

impl Cookie {
    fn new(name: &str, value: String) -> Self {
        Self {
            name: name.to_owned(),
            value,
        }
    }

    /// `name=value`, up to the first attribute. A name without letters is what the peer stores when none is configured (observed.md A5).
    fn parse(text: &str) -> Option<Self> {
        let (name, value) = text.split(';').next()?.split_once('=')?;
        let is_whole = !name.is_empty() && !value.is_empty();
        is_whole.then(|| Self::new(name, value.to_owned()))
    }

    fn text(&self) -> String {
        format!("{}={}", self.name, self.value)
    }

    /// Expression for the header `Cookie`. Names may have dots, which are no wildcards here (RM-10).
    fn regex(&self) -> String {
        format!(".*{}.*{}.*", escaped(&self.name), escaped(&self.value))
    }

    /// The header's text; attributes in the peer's order. A cookie is only forgotten under the domain, path and partition that it was
    /// set with, so all attributes stand there, too (RM-10, observed.md A6).
    fn set(&self, max_age_secs: i64, affinity: &SessionAffinity) -> String {
        let mut text = format!("{}; Max-Age={max_age_secs}", self.text());
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let attributes = [
            given(&affinity.domain).map(|domain| format!("Domain={domain}")),
            (affinity.http_only == Some(true)).then(|| "HttpOnly".to_owned()),
            (affinity.partitioned == Some(true)).then(|| "Partitioned".to_owned()),
            given(&affinity.path).map(|path| format!("Path={path}")),
            given(&affinity.same_site).map(|site| format!("SameSite={site}")),
            (affinity.secure == Some(true)).then(|| "Secure".to_owned()),
        ];
        for attribute in attributes.into_iter().flatten() {
            text = format!("{text}; {attribute}");
        }
        text
    }
}

// === impl Cookies ===

impl Cookies {
    /// The cookies for `split`, where the route shows `observed` now. `None` where the Canary asks for no affinity.
    pub(super) fn of(context: &Context<'_>, split: Split, observed: Option<Split>) -> Option<Self> {
        let affinity = context.canary.spec.analysis.as_ref()?.session_affinity.as_ref()?;
        let status = context.canary.status.clone().unwrap_or_default();
        let (given_out, taken_back) = on_the_route(context);
        let named = |list: &[Cookie], name: &str| list.iter().find(|cookie| cookie.name == name).cloned();
        let live = |name: &str| named(&given_out, name);
        let stored = |text: &Option<String>| text.as_deref().and_then(Cookie::parse);

        let known = stored(&status.session_affinity_cookie).or_else(|| live(&affinity.cookie_name));
        let previous = stored(&status.previous_session_affinity_cookie);
        if split.canary == 0 {
            // The route is the newer one of the two, as it is written first.
            let taken_back = || named(&taken_back, &affinity.cookie_name);
            return Some(Self {
                canary: None,
                primary: None,
                previous: known.or_else(taken_back).or(previous),
            });
        }
        let canary = known
            .filter(|cookie| cookie.name == affinity.cookie_name)
            .or_else(|| live(&affinity.cookie_name))
            .unwrap_or_else(|| Cookie::new(&affinity.cookie_name, drawn(context, &status)));
        let primary = affinity.primary_cookie_name.as_deref().filter(|name| !name.is_empty());
        let is_same_step = observed.is_some_and(|observed| observed.canary == split.canary);
        let primary = primary.map(|name| {
            let kept = live(name).filter(|_| is_same_step);
            kept.unwrap_or_else(|| Cookie::new(name, letters(format!("{} {}", canary.value, split.canary).as_bytes())))
        });
        Some(Self {
            canary: Some(canary),
            primary,
            previous,
        })
    }

    /// Write them into a status. The peer's primary cookie without a name stays where it is: nothing reads it.
    pub fn store(&self, status: &mut CanaryStatus) {
        status.session_affinity_cookie = self.canary.as_ref().map(Cookie::text);
        if let Some(previous) = &self.previous {
            status.previous_session_affinity_cookie = Some(previous.text());
        }
        if let Some(primary) = &self.primary {
            status.primary_session_affinity_cookie = Some(primary.text());
        }
    }

    /// What the route must say at this split.
    pub(super) fn rules(&self, analysis: &Analysis, split: Split) -> Rules {
        let Some(affinity) = &analysis.session_affinity else {
            return Rules::default();
        };
        let Some(canary) = &self.canary else {
            let forget = self.previous.iter().map(|cookie| Sticky {
                regex: cookie.regex(),
                split,
                set_cookie: Some(cookie.set(FORGET, affinity)),
            });
            return Rules {
                sticky: forget.collect(),
                ..Rules::default()
            };
        };
        let stay = |cookie: &Cookie, split| Sticky {
            regex: cookie.regex(),
            split,
            set_cookie: None,
        };
        // A primary that gets nothing by weight gets nothing by cookie either: nobody can have this step's cookie, and it may have no pods.
        let primary = self.primary.as_ref().filter(|_| split.primary > 0);
        let mut sticky = vec![stay(canary, Split::CANARY)];
        sticky.extend(primary.map(|cookie| stay(cookie, Split::PRIMARY)));
        let interval_secs = i64::try_from(analysis.interval(INTERVAL_FLOOR).as_secs()).unwrap_or(i64::MAX);
        Rules {
            sticky,
            on_primary: primary.map(|cookie| cookie.set(interval_secs, affinity)),
            on_canary: Some(canary.set(max_age(affinity), affinity)),
        }
    }
}

fn max_age(affinity: &SessionAffinity) -> i64 {
    let given = affinity.max_age.and_then(Number::whole);
    given.filter(|age| *age != 0).unwrap_or(MAX_AGE_SECS)
}

/// Cookies that the route gives out, and those that it takes back. Only values that could be ours count: a foreign edit must not end up in
/// an expression.
fn on_the_route(context: &Context<'_>) -> (Vec<Cookie>, Vec<Cookie>) {
    let mut texts = Vec::new();
    for object in context.current.iter().flatten() {
        collect(&object["spec"], &mut texts);
    }
    let forgotten = format!("Max-Age={FORGET}");
    let is_given_out = |text: &&str| !text.split("; ").any(|part| part == forgotten);
    let (given_out, taken_back): (Vec<&str>, Vec<&str>) = texts.into_iter().partition(is_given_out);
    let read = |texts: Vec<&str>| {
        let cookies = texts.into_iter().filter_map(Cookie::parse);
        cookies
            .filter(|cookie| cookie.value.chars().all(|letter| letter.is_ascii_alphabetic()))
            .collect()
    };
    (read(given_out), read(taken_back))
}

/// The texts of all `Set-Cookie` headers: a field of that name (Istio), or a field `value` beside that name (Gateway API).
fn collect<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            let named = fields.get("name").and_then(Value::as_str) == Some(SET_COOKIE);
            let beside = fields.get("value").filter(|_| named);
            texts.extend(beside.or_else(|| fields.get(SET_COOKIE)).and_then(Value::as_str));
            fields.values().for_each(|field| collect(field, texts));
        }
        Value::Array(list) => list.iter().for_each(|entry| collect(entry, texts)),
        _ => {}
    }
}

/// A new value: by chance, and another one for each run whatever the chance.
fn drawn(context: &Context<'_>, status: &CanaryStatus) -> String {
    let canary = context.canary;
    let uid = canary.metadata.uid.as_deref().unwrap_or_default();
    let run = status.last_applied_spec.as_deref().unwrap_or_default();
    letters(format!("{} {uid} {} {run}", context.entropy, canary.display_name()).as_bytes())
}

fn letters(seed: &[u8]) -> String {
    let digest = Sha256::digest(seed);
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    digest.iter().take(VALUE_LETTERS).map(letter).collect()
}

/// The text with everything that means something in an expression of RE2 taken literally.
pub(super) fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}
