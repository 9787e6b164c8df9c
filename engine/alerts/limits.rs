//! How long a message may be. One size that every receiver takes, so that nobody's error text costs an alert, and an alert reads the
//! same everywhere. What is too long loses its middle: the beginning says what happened, the end says what caused it.
//!
//! Characters are UTF-16 units, which is how the receivers count; none of theirs is shorter.

use super::Message;

/// Of `<name>.<namespace>`: Discord's `author.name`. Both ends of a longer one stay, and a namespace has at most 63.
pub const TITLE_MAX: usize = 256;
/// Of the sentence: Discord takes 4,096, Slack shows 8,000, Rocket.Chat 5,000; people read less.
pub const TEXT_MAX: usize = 2_000;
/// Of a field's value: Discord takes 1,024.
pub const VALUE_MAX: usize = 500;
/// Fields: cluster, reason, target, threshold, deadline and routing are all that there are. Discord takes 25.
///
/// In all 256 + 2,000 + 6 x (64 + 500) are 5,640 characters, below the 6,000 of a Discord embed. With the envelope of a card that is less
/// than 14,000 UTF-16 units of Teams' 28 KB; where each character becomes five (`&amp;` of Google Chat) less than its 32,000 bytes.
pub const FIELDS_MAX: usize = 6;
/// Of a field's name; they are ours.
pub const NAME_MAX: usize = 64;
/// Of the sender's name, which Discord and Slack limit.
pub const USER_MAX: usize = 80;
/// Of a channel's name: no receiver has longer ones.
pub const CHANNEL_MAX: usize = 256;

/// What stands for a part that was left out.
const GAP: char = '…';

/// The message, short enough for every receiver. Fields without a value, which Discord refuses, are left out.
pub(super) fn fit(message: Message) -> Message {
    let fields = message.fields.into_iter();
    let fields = fields.map(|(name, value)| (shorten(&name, NAME_MAX), shorten(&value, VALUE_MAX)));
    Message {
        title: shorten(&message.title, TITLE_MAX),
        text: shorten(&message.text, TEXT_MAX),
        severity: message.severity,
        fields: fields
            .filter(|(_, value)| !value.trim().is_empty())
            .take(FIELDS_MAX)
            .collect(),
    }
}

/// Length as receivers count it.
pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The text in at most `max` characters: two thirds of them from its beginning, the rest from its end. Control characters, which some
/// receivers refuse and none shows, become spaces.
pub(super) fn shorten(text: &str, max: usize) -> String {
    let shown = |letter: char| match letter {
        '\n' | '\t' => letter,
        other if other.is_control() => ' ',
        other => other,
    };
    let head_max = max * 2 / 3;
    let tail_max = max.saturating_sub(head_max + GAP.len_utf16());
    if length(text) <= max {
        return text.chars().map(shown).collect();
    }
    let head = text.chars().map(shown);
    let mut parts: String = within(head, head_max).collect::<String>().trim_end().to_owned();
    parts.push(GAP);
    let tail: Vec<char> = within(text.chars().rev().map(shown), tail_max).collect();
    let tail: String = tail.into_iter().rev().collect();
    parts.push_str(tail.trim_start());
    parts
}

/// The first letters that have at most `max` units.
fn within(letters: impl Iterator<Item = char>, max: usize) -> impl Iterator<Item = char> {
    letters
        .scan(0, |used, letter| {
            *used += letter.len_utf16();
            Some((*used, letter))
        })
        .take_while(move |(used, _)| *used <= max)
        .map(|(_, letter)| letter)
}
