//! Where gates are kept (LT-8): in memory as with the peer, in a file that survives a restart, or in a ConfigMap that several replicas
//! share.

use actors::world::World;
use anyhow::Context as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::timeout;

use super::gates::{Book, Change, Name};

/// Key of the ConfigMap's data.
const KEY: &str = "gates.json";
/// Tries of a write that others came before: with ten replicas that write at once one of them wins each round.
const TRIES: u32 = 10;
/// Time limit of one exchange with the API server.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a gate cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The file.
    #[error("gate file: {0}")]
    File(#[from] std::io::Error),
    /// The API server.
    #[error("gate ConfigMap: {0}")]
    Api(#[from] kube::Error),
    /// What is stored there is not ours.
    #[error("stored gates cannot be read: {0}")]
    Content(#[from] serde_json::Error),
    /// The API server does not answer.
    #[error("gate ConfigMap: no answer within {CALL_TIMEOUT:?}")]
    Silence,
    /// Others write all the time.
    #[error("gate ConfigMap: {TRIES} writes in a row came too late")]
    Conflict,
}

/// Where.
pub(super) enum Storage {
    /// Gone with the process.
    Memory(Mutex<Book>),
    /// One process.
    File {
        /// The file.
        path: PathBuf,
        /// What it holds.
        book: Mutex<Book>,
    },
    /// All replicas; each look reads it.
    Shared {
        /// ConfigMaps of the namespace; boxed, as it is much larger than the others.
        api: Box<Api<ConfigMap>>,
        /// Which one.
        name: String,
    },
}

// === impl Storage ===

impl Storage {
    /// Read `-gate-storage`: empty, `file:PATH`, or `configmap:NAMESPACE/NAME`.
    pub(super) async fn open(text: &str, client: impl AsyncFnOnce() -> anyhow::Result<Client>) -> anyhow::Result<Self> {
        if text.is_empty() {
            return Ok(Self::Memory(Mutex::default()));
        }
        if let Some(path) = text.strip_prefix("file:") {
            let book = read_file(Path::new(path)).with_context(|| format!("-gate-storage {text}"))?;
            return Ok(Self::File {
                path: path.into(),
                book: Mutex::new(book),
            });
        }
        let place = text.strip_prefix("configmap:").and_then(|place| place.split_once('/'));
        let (namespace, name) = place
            .with_context(|| format!("-gate-storage must be file:PATH or configmap:NAMESPACE/NAME, not {text:?}"))?;
        let storage = Self::Shared {
            api: Box::new(Api::namespaced(client().await?, namespace)),
            name: name.to_owned(),
        };
        storage.book().await.with_context(|| format!("-gate-storage {text}"))?;
        Ok(storage)
    }

    /// All gates.
    pub(super) async fn book(&self) -> Result<Book, Trouble> {
        match self {
            Self::Memory(book) | Self::File { book, .. } => Ok(book.lock().clone()),
            Self::Shared { api, name } => Ok(within(read_shared(api, name)).await?.1),
        }
    }

    /// Whether a gate is open for this revision.
    pub(super) async fn is_open(&self, world: &World, name: &Name, checksum: &str) -> Result<bool, Trouble> {
        match self {
            Self::Memory(book) | Self::File { book, .. } => Ok(book.lock().is_open(name, checksum, world.now())),
            Self::Shared { .. } => Ok(self.book().await?.is_open(name, checksum, world.now())),
        }
    }

    /// A canary asks whether a gate is open; an opening for one use is used, and that is stored before the answer.
    pub(super) async fn pass(&self, world: &World, name: &Name, checksum: &str) -> Result<bool, Trouble> {
        match self {
            Self::Memory(book) => Ok(book.lock().pass(name, checksum, world.now()).0),
            Self::File { path, book } => {
                let mut book = book.lock();
                let mut next = book.clone();
                let (open, is_used) = next.pass(name, checksum, world.now());
                if is_used {
                    write_file(path, &next.write())?;
                    *book = next;
                }
                Ok(open)
            }
            Self::Shared { api, name: held_by } => {
                for _ in 0..TRIES {
                    let (held, mut book) = within(read_shared(api, held_by)).await?;
                    let (open, is_used) = book.pass(name, checksum, world.now());
                    if !is_used || within(write_shared(api, held_by, held, &book)).await? {
                        return Ok(open);
                    }
                }
                Err(Trouble::Conflict)
            }
        }
    }

    /// Open or close a gate; done when it is stored.
    pub(super) async fn change(&self, world: &World, change: &Change) -> Result<(), Trouble> {
        match self {
            Self::Memory(book) => book.lock().change(change, world.now()),
            Self::File { path, book } => {
                let mut book = book.lock();
                let mut next = book.clone();
                next.change(change, world.now());
                write_file(path, &next.write())?;
                *book = next;
            }
            Self::Shared { api, name } => {
                for _ in 0..TRIES {
                    let (held, mut book) = within(read_shared(api, name)).await?;
                    book.change(change, world.now());
                    if within(write_shared(api, name, held, &book)).await? {
                        return Ok(());
                    }
                }
                return Err(Trouble::Conflict);
            }
        }
        Ok(())
    }
}

async fn within<T>(call: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    timeout(CALL_TIMEOUT, call).await.map_err(|_| Trouble::Silence)?
}

fn read_file(path: &Path) -> Result<Book, Trouble> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Book::read(&text)?),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // That it can be written is better known now than at the first approval.
            write_file(path, &Book::default().write())?;
            Ok(Book::default())
        }
        Err(error) => Err(error.into()),
    }
}

/// A new file takes the old one's place, so that a crash leaves one or the other.
fn write_file(path: &Path, text: &str) -> Result<(), Trouble> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let next = path.with_file_name(name);
    let mut file = File::create(&next)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&next, path)?;
    Ok(())
}

async fn read_shared(api: &Api<ConfigMap>, name: &str) -> Result<(Option<ConfigMap>, Book), Trouble> {
    let held = api.get_opt(name).await?;
    let text = held.as_ref().and_then(|held| held.data.as_ref()?.get(KEY));
    let book = text.map(|text| Book::read(text)).transpose()?.unwrap_or_default();
    Ok((held, book))
}

/// Whether nobody came before.
async fn write_shared(api: &Api<ConfigMap>, name: &str, held: Option<ConfigMap>, book: &Book) -> Result<bool, Trouble> {
    let params = PostParams::default();
    let written = if let Some(mut held) = held {
        held.data.get_or_insert_default().insert(KEY.to_owned(), book.write());
        api.replace(name, &params, &held).await
    } else {
        let fresh = ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(KEY.to_owned(), book.write())])),
            ..ConfigMap::default()
        };
        api.create(&params, &fresh).await
    };
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
