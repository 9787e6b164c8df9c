//! Discord, through the Slack-compatible end of its webhooks.

use super::{Format, slack};

/// Discord.
pub(super) const FORMAT: Format = Format {
    kind: "discord",
    payload: |message, sender| slack::attachment(message, sender, slack::color(message.severity), str::to_owned),
    suffix: Some("/slack"),
    is_bot: false,
    needs_sender: false,
};
