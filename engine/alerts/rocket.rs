//! Rocket.Chat: Slack's form, but colours as numbers.

use super::{Format, msteams, slack};

/// Rocket.Chat.
pub(super) const FORMAT: Format = Format {
    kind: "rocket",
    payload: |message, sender| {
        let color = format!("#{}", msteams::color(message.severity));
        slack::attachment(message, sender, &color, str::to_owned)
    },
    suffix: None,
    is_bot: false,
    needs_sender: false,
};
