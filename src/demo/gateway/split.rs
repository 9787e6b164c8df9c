//! Which backend gets the next request: smooth weighted round robin. Over any number of requests each backend is less than one request
//! away from its exact share (for two backends), so shares are right from the first dozen requests on and nothing is left to chance.

/// A backend of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::demo) struct Backend {
    /// Name of its Service.
    pub(in crate::demo) service: String,
    /// Its weight; shares are weights divided by their sum.
    pub(in crate::demo) weight: i64,
}

/// The state of one split.
#[derive(Clone, Debug, Default)]
pub(super) struct Split {
    /// Each backend with its credit: it grows by the weight with every request, and who is chosen pays the sum of all weights.
    backends: Vec<(Backend, i64)>,
}

// === impl Split ===

impl Split {
    /// A split in which nobody was chosen yet. Negative weights count as 0.
    pub(super) fn new(backends: Vec<Backend>) -> Self {
        let fresh = backends.into_iter().map(|mut backend| {
            backend.weight = backend.weight.max(0);
            (backend, 0)
        });
        Self {
            backends: fresh.collect(),
        }
    }

    /// The next one's Service; none when all weights are 0.
    pub(super) fn next(&mut self) -> Option<&str> {
        let total: i64 = self.backends.iter().map(|(backend, _)| backend.weight).sum();
        let mut chosen: Option<usize> = None;
        let mut best = i64::MIN;
        for (at, (backend, credit)) in self.backends.iter_mut().enumerate() {
            *credit += backend.weight;
            if backend.weight > 0 && *credit > best {
                best = *credit;
                chosen = Some(at);
            }
        }
        let (backend, credit) = self.backends.get_mut(chosen?)?;
        *credit -= total;
        Some(&backend.service)
    }

    /// All credits.
    #[cfg(test)]
    pub(super) fn credits(&self) -> Vec<i64> {
        self.backends.iter().map(|(_, credit)| *credit).collect()
    }
}
