//! `type: ngrinder`: clone a test on an nGrinder server, start it and watch it (loadtester.md 6.5).

use actors::{
    outbound::{self, Outbound},
    world::World,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use engine::http::{Method, Request};
use serde_json::Value;
use std::time::Duration;

use super::{
    order::{Refusal, duration},
    task::Outcome,
};
use crate::companion::{
    brake::{Stop, Why},
    output::Output,
    payload::Payload,
};

/// Time limit of one request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks when nothing else is said: the documented one.
const POLL: Duration = Duration::from_secs(1);
/// Looks that may fail in a row before the test counts as lost.
const LOST_LOOKS_MAX: u32 = 10;

/// A test to clone and start.
#[derive(Clone, PartialEq)]
pub(super) struct Ngrinder {
    server: url::Url,
    clone: i64,
    username: String,
    password: String,
    poll: Duration,
}

/// How a look went.
enum Look {
    Running,
    Passed,
    Failed(String),
}

// === impl Ngrinder ===

impl Ngrinder {
    /// Read the metadata.
    pub(super) fn read(payload: &Payload) -> Result<Self, Refusal> {
        let value = |key: &str| payload.metadata.get(key).cloned();
        let (Some(server), Some(clone), Some(username), Some(passwd)) = (
            payload.get("server"),
            value("clone"),
            value("username"),
            value("passwd"),
        ) else {
            return Err(Refusal::bad("server, clone, username and passwd are required metadata"));
        };
        let clone = clone.trim().parse();
        let clone = clone.map_err(|error| Refusal::bad(format!("metadata clone must be integer: {error}")))?;
        let password = STANDARD
            .decode(passwd.trim())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let password =
            password.ok_or_else(|| Refusal::bad("metadata password is invalid: it must be text in base64"))?;
        let server = url::Url::parse(server).map_err(|error| Refusal::bad(format!("invalid url: {error}")))?;
        // The peer takes anything that is no duration for 1 s (LT-4 is about those that are).
        let poll = payload.get("pollInterval").and_then(duration).unwrap_or(POLL);
        Ok(Self {
            server,
            clone,
            username,
            password,
            poll,
        })
    }

    /// What it is called.
    pub(super) fn shown(&self) -> String {
        format!("ngrinder {} at {}", self.clone, self.server)
    }

    /// The server that is called.
    pub(super) fn server(&self) -> &url::Url {
        &self.server
    }

    /// Start the test and watch it to its end; a test that is stopped here is stopped there, too.
    pub(super) async fn run(
        &self,
        world: &World,
        outbound: &Outbound,
        output: &Output,
        limit: Duration,
        mut stop: Stop,
    ) -> Outcome {
        let id = match self.clone_and_start(outbound).await {
            Ok(id) => id,
            Err(cause) => return Outcome::failed(cause),
        };
        output.say(&format!("nGrinder test {id} started\n"));
        let outcome = tokio::select! {
            outcome = self.watch(world, outbound, id, output) => return outcome,
            why = stop.pulled() => Outcome::stopped(Why::text(why)),
            () = world.sleep(limit) => Outcome::failed(format!("time limit of {limit:?} exceeded")),
        };
        match self
            .send(outbound, Method::Put, &format!("perftest/api/{id}?action=stop"))
            .await
        {
            Ok(_) => output.say(&format!("nGrinder test {id} is told to stop\n")),
            Err(cause) => output.say(&format!("nGrinder test {id} could not be told to stop: {cause}\n")),
        }
        outcome
    }

    async fn clone_and_start(&self, outbound: &Outbound) -> Result<i64, String> {
        let path = format!("perftest/api/{}/clone_and_start", self.clone);
        let started = self.send(outbound, Method::Post, &path).await?;
        let id = started["id"].as_i64();
        id.ok_or_else(|| "nGrinder's answer has no id".to_owned())
    }

    async fn watch(&self, world: &World, outbound: &Outbound, id: i64, output: &Output) -> Outcome {
        let mut lost = 0;
        loop {
            world.sleep(self.poll).await;
            match self.look(outbound, id).await {
                Ok(Look::Running) => lost = 0,
                Ok(Look::Passed) => return Outcome::succeeded(),
                Ok(Look::Failed(status)) => return Outcome::failed(format!("nGrinder test {id} ended as {status}")),
                Err(cause) => {
                    lost += 1;
                    output.say(&format!("{cause}\n"));
                    if lost == LOST_LOOKS_MAX {
                        return Outcome::failed(format!("nGrinder test {id} is out of sight: {cause}"));
                    }
                }
            }
        }
    }

    async fn look(&self, outbound: &Outbound, id: i64) -> Result<Look, String> {
        let state = self
            .send(outbound, Method::Get, &format!("perftest/api/{id}/status"))
            .await?;
        let status = state["status"][0]["status_id"].as_str().unwrap_or_default();
        Ok(match status {
            "FINISHED" => Look::Passed,
            "STOP_BY_ERROR" | "CANCELED" | "UNKNOWN" => Look::Failed(status.to_owned()),
            _ => Look::Running,
        })
    }

    async fn send(&self, outbound: &Outbound, method: Method, path: &str) -> Result<Value, String> {
        let url = self
            .server
            .join(path)
            .map_err(|error| format!("invalid url: {error}"))?;
        let request = Request {
            method,
            url: url.into(),
            headers: vec![(
                "Authorization".into(),
                engine::http::basic(&self.username, &self.password),
            )],
            body: String::new(),
            timeout: REQUEST_TIMEOUT,
            skip_tls_verify: false,
            proxy: None,
        };
        let response = outbound::send(outbound, request)
            .await
            .map_err(|trouble| trouble.to_string())?;
        if response.status >= 400 {
            return Err(format!(
                "nGrinder answered {}",
                engine::http::status_text(response.status)
            ));
        }
        let answer: Value =
            serde_json::from_str(&response.body).map_err(|error| format!("nGrinder's answer is no JSON: {error}"))?;
        if answer["success"] == false {
            let message = answer["message"].as_str().unwrap_or("no message");
            return Err(format!("nGrinder refused: {message}"));
        }
        Ok(answer)
    }
}

impl std::fmt::Debug for Ngrinder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.shown())
    }
}

#[cfg(test)]
mod tests;
