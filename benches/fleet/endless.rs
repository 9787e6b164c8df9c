//! A fleet on the sandbox of which every canary is in an analysis that never ends: a check, a query and a status write per interval.

use serde_json::Value;
use std::time::Duration;

use super::{
    args::Args,
    fleet::Fleet,
    objects::{Analysis, App},
    observer::Observer,
    place::House,
    progress::Progress,
    subject::{Inside, Wish},
};

/// Time to initialise all, and then to begin the analysis of all: an interval or two, and the sandbox's work.
const PATIENCE: Duration = Duration::from_mins(10);

/// Make it, with `edit` for each Canary, and let a controller bring all of them into their analysis; then that controller ends.
pub(crate) async fn start(
    args: &Args,
    house: &House,
    wish: Wish,
    progress: &Progress,
    edit: impl Fn(&App, &mut Value),
) -> anyhow::Result<Fleet> {
    let fleet = Fleet::new(house.sandbox.client(), args.canaries, args.namespaces);
    fleet.deploy(progress).await?;
    fleet
        .watch_over(Duration::from_millis(1), Analysis::Endless, edit)
        .await?;
    let observer = Observer::start(house.sandbox.client());
    let controller = Inside::start(house, wish).await?;
    let all = args.canaries;
    let initialised = |status: &super::observer::Status| status.phase == "Initialized";
    observer
        .until("canaries are initialised", all, PATIENCE, progress, initialised)
        .await?;
    fleet.release("2").await?;
    let checked = |status: &super::observer::Status| status.phase == "Progressing" && status.iterations > 0;
    observer
        .until("canaries are being analysed", all, PATIENCE, progress, checked)
        .await?;
    controller.stop().await;
    Ok(fleet)
}
