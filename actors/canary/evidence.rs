//! What came of a step's questions and writes. Objects are kept as text while the step waits for the next answer, for the reason that
//! [`crate::caches`] gives: parsed, the objects that a thousand first steps have made would take 100 MiB.

#[cfg(test)]
mod tests;

use engine::{Outcome, seam::Trouble};
use serde_json::Value;
use std::sync::Arc;

/// The evidence of one step, in order.
#[derive(Default)]
pub(super) struct Evidence(Vec<Kept>);

enum Kept {
    Read(Box<str>),
    Wrote(Box<str>),
    /// Without an object.
    Small(Outcome),
}

// === impl Evidence ===

impl Evidence {
    pub(super) fn add(&mut self, outcomes: Vec<Outcome>) {
        self.0.extend(outcomes.into_iter().map(Kept::from));
    }

    /// As the mind takes it.
    pub(super) fn open(&self) -> Vec<Outcome> {
        self.0.iter().map(Kept::open).collect()
    }
}

// === impl Kept ===

impl Kept {
    fn open(&self) -> Outcome {
        match self {
            Self::Read(text) => Outcome::Read(parse(text).map(Some)),
            Self::Wrote(text) => Outcome::Wrote(parse(text)),
            Self::Small(outcome) => outcome.clone(),
        }
    }
}

impl From<Outcome> for Kept {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Read(Ok(Some(object))) => Self::Read(object.to_string().into()),
            Outcome::Wrote(Ok(object)) => Self::Wrote(object.to_string().into()),
            small => Self::Small(small),
        }
    }
}

/// It was written from a value just like that, so it is read again without fail.
fn parse(text: &str) -> Result<Arc<Value>, Trouble> {
    let object = serde_json::from_str(text).map_err(|error| Trouble::Refused(error.to_string()))?;
    Ok(Arc::new(object))
}
