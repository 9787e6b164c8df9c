//! Where the news about canaries comes in for the supervisor: from the watch, and from actors that end. News about one canary
//! replaces each other, so the desk never holds more than one entry per canary, however fast things change.

use parking_lot::Mutex;
use std::{collections::BTreeMap, sync::Arc};

use crate::{caches::Fleet, mail::Bell, supervisor::Sort};

#[cfg(test)]
mod tests;

/// The desk. Cheap to clone.
#[derive(Clone, Default)]
pub struct Desk(Arc<Mutex<Pile>>);

#[derive(Default)]
struct Pile {
    news: BTreeMap<String, News>,
    bell: Option<Bell<Sort>>,
}

/// What is new about one canary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Whether the resource is there, if that is new.
    pub exists: Option<bool>,
    /// The last death of one of its actors that had not been told to end.
    pub died: Option<Death>,
}

/// The end of an actor that had not been told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Which of the canary's actors it was: the number that its obituary was made with.
    pub life: u64,
    /// Why it ended.
    pub cause: String,
}

/// Tells the desk when its owner is dropped, unless it was disarmed: that is how a death is noticed, however it came.
pub struct Obituary {
    desk: Desk,
    key: String,
    life: u64,
    cause: Option<String>,
    armed: bool,
}

// === impl Desk ===

impl Desk {
    /// From now on ring here when there is news.
    pub fn ring(&self, bell: &Bell<Sort>) {
        let waiting = {
            let mut pile = self.0.lock();
            pile.bell = Some(bell.clone());
            !pile.news.is_empty()
        };
        if waiting {
            bell.ring();
        }
    }

    /// Take all news.
    pub fn take(&self) -> BTreeMap<String, News> {
        std::mem::take(&mut self.0.lock().news)
    }

    /// Put news down.
    pub fn put(&self, key: &str, change: impl FnOnce(&mut News)) {
        let bell = {
            let mut pile = self.0.lock();
            change(pile.news.entry(key.to_owned()).or_default());
            pile.bell.clone()
        };
        if let Some(bell) = bell {
            bell.ring();
        }
    }

    /// An obituary for an actor of this canary. `life` tells it from those before and after it.
    pub fn obituary(&self, key: &str, life: u64) -> Obituary {
        Obituary {
            desk: self.clone(),
            key: key.to_owned(),
            life,
            cause: None,
            armed: true,
        }
    }
}

impl Fleet for Desk {
    fn appeared(&self, key: &str) {
        self.put(key, |news| news.exists = Some(true));
    }

    fn changed(&self, _: &str) {}

    fn gone(&self, key: &str) {
        self.put(key, |news| news.exists = Some(false));
    }
}

// === impl Obituary ===

impl Obituary {
    /// The owner ends because it was told to.
    pub fn disarm(&mut self) {
        self.armed = false;
    }

    /// The owner ends for this reason.
    pub fn because(&mut self, cause: String) {
        self.cause = Some(cause);
    }
}

impl Drop for Obituary {
    fn drop(&mut self) {
        if self.armed {
            let cause = self.cause.take().unwrap_or_else(|| "it ended without a reason".into());
            let life = self.life;
            self.desk.put(&self.key, |news| {
                // The end of an older actor does not hide that of a newer one.
                if news.died.as_ref().is_none_or(|death| death.life <= life) {
                    news.died = Some(Death { life, cause });
                }
            });
        }
    }
}
