//! `type: concord`: start a process on a Concord server and wait for its end (loadtester.md 6.4).

use actors::{
    outbound::{self, Outbound},
    world::World,
};
use engine::http::{Method, Request};
use serde_json::Value;
use std::{fmt::Write as _, time::Duration};

use super::{order::Refusal, task::Outcome};
use crate::companion::{brake::Stop, output::Output, payload::Payload};

/// Time limit of one request: the peer's.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);
/// Seconds between two looks, and in all, when nothing else is said: the documented ones.
const POLL_SECS: u64 = 5;
const WAIT_SECS: u64 = 30;
/// A key is a token in a line; more is another file (LT-2).
const KEY_BYTES_MAX: u64 = 4096;
/// Folders whose files are never sent anywhere (LT-2): the tester's own identity, and the kernel's view of it.
const FORBIDDEN: [&str; 4] = ["/var/run/secrets/", "/run/secrets/", "/proc/", "/sys/"];
/// Keys that must be there, in the order in which they are looked for.
const REQUIRED: [&str; 7] = [
    "server",
    "org",
    "project",
    "repo",
    "entrypoint",
    "endpoint",
    "apiKeyPath",
];

/// A process to start.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Concord {
    server: url::Url,
    /// Parts of the form, in the order in which Concord gets them.
    fields: Vec<(String, String)>,
    key_path: String,
    poll: Duration,
    wait_secs: u64,
}

// === impl Concord ===

impl Concord {
    /// Read the metadata. Its mistakes are 500, as with the peer.
    pub(super) fn read(payload: &Payload) -> Result<Self, Refusal> {
        let metadata = &payload.metadata;
        for key in REQUIRED {
            if !metadata.contains_key(key) {
                return Err(refusal(format!("`{key}` is required with type concord")));
            }
        }
        let value = |key: &str| metadata.get(key).cloned().unwrap_or_default();
        let key_path = value("apiKeyPath");
        check_key(&key_path)?;
        if metadata.contains_key("arguments.endpoint") {
            return Err(refusal(
                "`arguments.endpoint` is set by `endpoint`; write that one only",
            ));
        }
        let mut fields: Vec<(String, String)> = [
            ("org", "org"),
            ("project", "project"),
            ("repo", "repo"),
            ("entryPoint", "entrypoint"),
            ("arguments.endpoint", "endpoint"),
        ]
        .map(|(part, key)| (part.to_owned(), value(key)))
        .to_vec();
        let own = metadata.iter().filter(|(key, _)| key.starts_with("arguments."));
        fields.extend(own.map(|(key, value)| (key.clone(), value.clone())));
        let server = url::Url::parse(&value("server")).map_err(|error| refusal(format!("`server`: {error}")))?;
        Ok(Self {
            server,
            fields,
            key_path,
            poll: Duration::from_secs(seconds(payload, "pollInterval", POLL_SECS)?),
            wait_secs: seconds(payload, "pollTimeout", WAIT_SECS)?,
        })
    }

    /// What it is called.
    pub(super) fn shown(&self) -> String {
        let values: Vec<&str> = self.fields.iter().take(4).map(|(_, value)| value.as_str()).collect();
        format!("concord {} at {}", values.join("/"), self.server)
    }

    /// The server that is called.
    pub(super) fn server(&self) -> &url::Url {
        &self.server
    }

    /// Start the process and wait for it, all within `pollTimeout` (LT-12).
    pub(super) async fn run(&self, world: &World, outbound: &Outbound, output: &Output, mut stop: Stop) -> Outcome {
        tokio::select! {
            result = self.follow(world, outbound, output) => match result {
                Ok(()) => Outcome::succeeded(),
                Err(cause) => Outcome::failed(cause),
            },
            why = stop.pulled() => Outcome::stopped(why.text()),
        }
    }

    async fn follow(&self, world: &World, outbound: &Outbound, output: &Output) -> Result<(), String> {
        let key = std::fs::read_to_string(&self.key_path);
        let key = key.map_err(|error| format!("`apiKeyPath` cannot be read: {error}"))?;
        let key = key.trim();
        let started = self.request(outbound, self.start(key)?).await?;
        let id = started["instanceId"]
            .as_str()
            .ok_or("concord gave no instanceId")?
            .to_owned();
        output.say(&format!("concord instanceID: {id}\n"));
        let deadline = world.instant() + Duration::from_secs(self.wait_secs);
        loop {
            if world.instant() + self.poll > deadline {
                world.sleep(deadline.saturating_duration_since(world.instant())).await;
                return Err(format!("concord process timed out, after {} seconds", self.wait_secs));
            }
            world.sleep(self.poll).await;
            let state = self.request(outbound, self.look(&id, key)?).await?;
            let status = state["status"].as_str().unwrap_or_default();
            output.say(&format!("status: {status}\n"));
            match status {
                "FINISHED" => return Ok(()),
                "FAILED" => return Err(format!("concord instanceID: {id} failed")),
                "CANCELLED" | "TIMED_OUT" => return Err(format!("concord instanceID: {id} ended as {status}")),
                _ => {}
            }
        }
    }

    async fn request(&self, outbound: &Outbound, request: Request) -> Result<Value, String> {
        let response = outbound::send(outbound, request)
            .await
            .map_err(|trouble| trouble.to_string())?;
        if response.status >= 400 {
            return Err(format!(
                "concord answered {}",
                engine::http::status_text(response.status)
            ));
        }
        serde_json::from_str(&response.body).map_err(|error| format!("concord's answer is no JSON: {error}"))
    }

    fn start(&self, key: &str) -> Result<Request, String> {
        let boundary = self.boundary();
        let mut body = String::new();
        for (name, value) in &self.fields {
            // Writing into a String cannot fail.
            write!(
                body,
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{value}\r\n",
                name.replace(['"', '\r', '\n'], "_")
            )
            .ok();
        }
        write!(body, "--{boundary}--\r\n").ok();
        let mut request = self.base("/api/v1/process", key)?;
        request.method = Method::Post;
        request.body = body;
        let content = format!("multipart/form-data; boundary={boundary}");
        request.headers.push(("Content-Type".into(), content));
        Ok(request)
    }

    fn look(&self, id: &str, key: &str) -> Result<Request, String> {
        let mut url = self.server.clone();
        let mut path = url
            .path_segments_mut()
            .map_err(|()| "`server` has no path".to_owned())?;
        path.clear().extend(["api", "v1", "process", id]);
        drop(path);
        self.base(url.path(), key)
    }

    /// A path in `server` is dropped, as with the peer.
    fn base(&self, path: &str, key: &str) -> Result<Request, String> {
        let url = self.server.join(path).map_err(|error| format!("`server`: {error}"))?;
        Ok(Request {
            method: Method::Get,
            url: url.into(),
            headers: vec![("Authorization".into(), key.to_owned())],
            body: String::new(),
            timeout: REQUEST_TIMEOUT,
            skip_tls_verify: false,
            proxy: None,
        })
    }

    /// A line that is in no value.
    fn boundary(&self) -> String {
        let mut boundary = "aviary-form".to_owned();
        while self.fields.iter().any(|(_, value)| value.contains(&boundary)) {
            boundary.push('-');
        }
        boundary
    }
}

fn check_key(path: &str) -> Result<(), Refusal> {
    let missing = || refusal(format!("`apiKeyPath` file doesn't exist {path}"));
    let real = std::fs::canonicalize(path).map_err(|_| missing())?;
    let data = std::fs::metadata(&real).map_err(|_| missing())?;
    let is_forbidden = FORBIDDEN
        .iter()
        .any(|folder| path.starts_with(folder) || real.starts_with(folder.trim_end_matches('/')));
    if is_forbidden || !data.is_file() || data.len() > KEY_BYTES_MAX {
        return Err(refusal(format!("`apiKeyPath` {path} is not the file of a key")));
    }
    Ok(())
}

fn seconds(payload: &Payload, key: &str, default: u64) -> Result<u64, Refusal> {
    match payload.metadata.get(key) {
        None => Ok(default),
        Some(text) => {
            let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
            seconds.ok_or_else(|| {
                refusal(format!(
                    "unable to convert `{key}` to int: {text:?} is no number above 0"
                ))
            })
        }
    }
}

fn refusal(text: impl Into<String>) -> Refusal {
    Refusal {
        status: 500,
        text: text.into(),
    }
}

#[cfg(test)]
mod tests;
