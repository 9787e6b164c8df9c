//! Gates of runs, each opened for one move at a time.

use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

use crate::cluster::{lab::Room, server::serve};

/// A server of gates, closed until they are opened.
#[derive(Clone)]
pub(crate) struct Gates {
    port: u16,
    open: Arc<Mutex<BTreeMap<String, usize>>>,
}

// === impl Gates ===

impl Gates {
    pub(crate) fn start() -> Self {
        let open: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let left = open.clone();
        let port = serve(move |path, _| {
            let mut left = left.lock();
            let left = left.entry(path.trim_matches('/').to_owned()).or_default();
            let is_open = *left > 0;
            *left = left.saturating_sub(1);
            (if is_open { 200 } else { 403 }, String::new())
        });
        Self { port, open }
    }

    /// A hook of this kind that asks the gate of that name.
    pub(crate) fn hook(&self, room: &Room<'_>, kind: &str) -> Value {
        let path = format!("{}-{kind}", room.name);
        json!({"name": kind, "type": kind, "url": format!("http://127.0.0.1:{}/{path}", self.port)})
    }

    /// Let one request pass.
    pub(crate) fn open(&self, room: &Room<'_>, kind: &str) {
        *self.open.lock().entry(format!("{}-{kind}", room.name)).or_default() += 1;
    }
}
