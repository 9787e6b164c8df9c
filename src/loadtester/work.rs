//! How a task is done.

use actors::{outbound::Outbound, world::World};
use std::{sync::Arc, time::Duration};

use super::{
    load,
    order::Order,
    series::Series,
    task::{Outcome, Task},
    tasks::Work,
};
use crate::companion::{
    brake::Stop,
    children::Children,
    output::{Output, last_lines},
    program::{self, Cause, Program},
    redaction::Redaction,
};

/// Lines of output in the log, so that one task does not drown the others.
const LOGGED_LINES: usize = 100;

/// What tasks are done with.
pub(super) struct Workshop {
    /// Time and tasks.
    pub(super) world: World,
    /// Everything that was started.
    pub(super) children: Children,
    /// Concord and nGrinder.
    pub(super) outbound: Outbound,
    /// Time limit of each task.
    pub(super) limit: Duration,
    /// Where loads are counted.
    pub(super) series: Arc<Series>,
    /// What is not logged.
    pub(super) redaction: Redaction,
}

// === impl Workshop ===

impl Workshop {
    /// As the ledger wants it.
    pub(super) fn open(self) -> Work {
        let workshop = Arc::new(self);
        Arc::new(move |task| {
            let workshop = workshop.clone();
            Box::pin(async move {
                let outcome = workshop.perform(&task).await;
                workshop.log(&task, &outcome);
                outcome
            })
        })
    }

    async fn perform(&self, task: &Task) -> Outcome {
        let (output, stop) = (&task.output, task.stop.clone());
        match &task.ask.order {
            Order::Program(program) => self.program(program, output, stop).await,
            Order::Concord(concord) => {
                tokio::select! {
                    outcome = concord.run(&self.world, &self.outbound, output, stop) => outcome,
                    () = self.world.sleep(self.limit) => Outcome::failed("context timedout"),
                }
            }
            Order::Ngrinder(ngrinder) => {
                ngrinder
                    .run(&self.world, &self.outbound, output, self.limit, stop)
                    .await
            }
            Order::Load(plan) => {
                let observe = self.series.observer(&task.ask.key.canary);
                let report = load::run(&self.world, plan, self.limit, stop, &observe).await;
                output.say(&report.text());
                if let Some(why) = report.stopped {
                    return Outcome::stopped(why.text());
                }
                match report.breaches(&plan.limits).as_slice() {
                    [] => Outcome::succeeded(),
                    breaches => Outcome::failed(breaches.join("; ")),
                }
            }
        }
    }

    async fn program(&self, program: &Program, output: &Output, stop: Stop) -> Outcome {
        let ending = program::run(&self.world, &self.children, program, output, self.limit, stop).await;
        if ending.is_success() {
            return Outcome {
                exit_code: Some(0),
                ..Outcome::succeeded()
            };
        }
        Outcome {
            success: false,
            exit_code: ending.code(),
            cause: ending.text(),
            stopped: matches!(ending.cause, Some(Cause::Stopped(_))),
        }
    }

    fn log(&self, task: &Task, outcome: &Outcome) {
        let ask = &task.ask;
        let (canary, command) = (ask.shown_canary(), ask.shown.as_str());
        let output = if ask.log_output || !outcome.success {
            last_lines(&self.redaction.clean(&task.output.text()), LOGGED_LINES)
        } else {
            String::new()
        };
        if outcome.success {
            tracing::info!(canary, command, output, "command finished");
        } else if outcome.stopped {
            tracing::info!(canary, command, output, cause = outcome.cause, "command stopped");
        } else {
            tracing::error!(canary, command, output, cause = outcome.cause, "command failed");
        }
    }
}
