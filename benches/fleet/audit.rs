//! The API server's audit log: every request of the controller's account.

use serde::Deserialize;
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use super::figures::Counts;

/// What is read of a line.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    verb: String,
    #[serde(default)]
    object_ref: Subject,
}

#[derive(Default, Deserialize)]
struct Subject {
    #[serde(default)]
    resource: String,
}

/// The end of the log.
pub(crate) struct Audit {
    file: File,
    /// A line that is not complete yet.
    rest: Vec<u8>,
    counts: Counts,
}

// === impl Audit ===

impl Audit {
    /// Count from here on.
    pub(crate) fn open(log: &Path) -> io::Result<Self> {
        let mut file = File::open(log)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self {
            file,
            rest: Vec::new(),
            counts: Counts::default(),
        })
    }

    /// Requests by verb, until now.
    pub(crate) fn counts(&mut self) -> io::Result<Counts> {
        self.file.read_to_end(&mut self.rest)?;
        let complete = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let rest = self.rest.split_off(complete);
        let lines = std::mem::replace(&mut self.rest, rest);
        for verb in lines.split(|byte| *byte == b'\n').filter_map(verb) {
            *self.counts.entry(verb).or_default() += 1;
        }
        Ok(self.counts.clone())
    }
}

/// The verb of a line. None for leases: they are the price of a replica, not of a canary.
pub(crate) fn verb(line: &[u8]) -> Option<String> {
    let line: Line = serde_json::from_slice(line).ok()?;
    (line.object_ref.resource != "leases").then_some(line.verb)
}
