//! What was asked of the sandbox and what it answered, with one hash over everything so that two runs can be compared.

use bytes::Bytes;
use jiff::Timestamp;
use std::collections::VecDeque;

/// Entries kept: at 2 KiB a body that is 32 MiB; the hash covers the dropped ones too.
const KEPT: usize = 16_384;
/// FNV-1a, 64 bits: fixed for ever, unlike the standard library's hasher.
const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

/// One request. The fault hook sees it before it is served, with code 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Place in the order of arrival, from 1.
    pub seq: u64,
    /// Requests that write (not GET) that arrived so far, with this one.
    pub writes: u64,
    /// When it arrived, by the sandbox's clock.
    pub at: Timestamp,
    /// HTTP method.
    pub method: String,
    /// Path without query.
    pub path: String,
    /// Query as sent.
    pub query: String,
    /// Body as sent.
    pub body: Bytes,
    /// HTTP code of the answer; 0 when none was given. An answer that was dropped after the write keeps its code.
    pub code: u16,
}

/// The requests in the order in which they were answered.
#[derive(Debug)]
pub(super) struct Journal {
    entries: VecDeque<Entry>,
    hash: u64,
    arrived: u64,
    writes: u64,
}

// === impl Entry ===

impl Entry {
    /// Whether the request can change something.
    pub fn is_write(&self) -> bool {
        self.method != "GET" && self.method != "HEAD"
    }
}

// === impl Journal ===

impl Default for Journal {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            hash: FNV_OFFSET,
            arrived: 0,
            writes: 0,
        }
    }
}

impl Journal {
    /// Number an arriving request.
    pub(super) fn number(&mut self, entry: &mut Entry) {
        self.arrived += 1;
        self.writes += u64::from(entry.is_write());
        entry.seq = self.arrived;
        entry.writes = self.writes;
    }

    /// Keep an answered request.
    pub(super) fn keep(&mut self, entry: Entry) {
        let numbers = [entry.seq, entry.at.as_nanosecond() as u64, u64::from(entry.code)];
        for number in numbers {
            self.hash = fnv(self.hash, &number.to_le_bytes());
        }
        for text in [
            entry.method.as_bytes(),
            entry.path.as_bytes(),
            entry.query.as_bytes(),
            &entry.body,
        ] {
            self.hash = fnv(self.hash, &(text.len() as u64).to_le_bytes());
            self.hash = fnv(self.hash, text);
        }
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }
}

/// One more piece of a running FNV-1a hash.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

/// Hash of one text, for names that have to be the same in every run.
pub(super) fn hash_text(text: &str) -> u64 {
    fnv(FNV_OFFSET, text.as_bytes())
}
