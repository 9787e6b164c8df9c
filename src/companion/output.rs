//! What a program said, bounded: its beginning and its end are kept, the middle of a chatty one is counted only (LT-11, K6-10).

use parking_lot::Mutex;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::Notify;

/// Kept of the beginning: a banner and the first error.
const HEAD_BYTES: usize = 64 * 1024;
/// Kept of the end: summaries and the last error. With [`HEAD_BYTES`] a task keeps at most 256 KiB, a hundred of them 25 MiB.
const TAIL_BYTES: usize = 192 * 1024;

/// Output that is still being written. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Inner>);

#[derive(Default)]
struct Inner {
    kept: Mutex<Kept>,
    /// Rings when there is more.
    more: Notify,
}

#[derive(Default)]
struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

// === impl Output ===

impl Output {
    /// Add bytes.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.kept.lock();
        let room = HEAD_BYTES.saturating_sub(kept.head.len()).min(bytes.len());
        let (first, rest) = bytes.split_at(room);
        kept.head.extend_from_slice(first);
        // More than the tail holds in one piece: only its end can stay.
        let skipped = rest.len().saturating_sub(TAIL_BYTES);
        kept.tail.extend(&rest[skipped..]);
        let over = kept.tail.len().saturating_sub(TAIL_BYTES);
        kept.tail.drain(..over);
        kept.dropped += (skipped + over) as u64;
        drop(kept);
        self.0.more.notify_waiters();
    }

    /// Wait until something can be found in it. Never ends if it never can.
    pub(crate) async fn until<T>(&self, mut find: impl FnMut(&str) -> Option<T>) -> T {
        loop {
            let more = self.0.more.notified();
            if let Some(found) = find(&self.text()) {
                return found;
            }
            more.await;
        }
    }

    /// Add text.
    pub(crate) fn say(&self, text: &str) {
        self.push(text.as_bytes());
    }

    /// All that is kept; bytes that are no UTF-8 are replaced.
    pub(crate) fn text(&self) -> String {
        let kept = self.0.kept.lock();
        let mut bytes = kept.head.clone();
        if kept.dropped > 0 {
            bytes.extend_from_slice(format!("\n... {} bytes left out ...\n", kept.dropped).as_bytes());
        }
        let (front, back) = kept.tail.as_slices();
        bytes.extend_from_slice(front);
        bytes.extend_from_slice(back);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The last lines of a text.
pub(crate) fn last_lines(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests;
