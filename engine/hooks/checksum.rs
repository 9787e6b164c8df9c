//! The checksum in payloads: which revision and configuration of the target is meant (controller.md 7.3, observed.md A17).

use crds::CanaryStatus;
use std::fmt::Write;

/// Letters for the decimal digits 0 to 9, none of which can form a word (controller.md 1.7).
const DIGITS: [char; 10] = ['4', '5', '6', '7', '8', '9', 'b', 'c', 'd', 'f'];

/// Checksum over `trackedConfigs` and `lastAppliedSpec`, equal to the peer's, so that receivers see one revision across a takeover.
pub fn checksum(status: &CanaryStatus) -> String {
    let applied = status.last_applied_spec.as_deref().unwrap_or_default();
    let mut text = String::from(
        "(struct { TrackedConfigs *map[string]string; LastAppliedSpec string }){TrackedConfigs:(*map[string]string)",
    );
    match &status.tracked_configs {
        None => text.push_str("<nil>"),
        Some(map) => {
            let entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{value}")).collect();
            // Writing to a String cannot fail.
            let _ = write!(text, "map[{}]", entries.join(" "));
        }
    }
    let _ = write!(text, " LastAppliedSpec:(string){applied}}}");
    safe(fnv1a(text.as_bytes()))
}

/// FNV-1a, 32 bits.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

fn safe(number: u32) -> String {
    let digits = number.to_string();
    let letters = digits
        .bytes()
        .filter_map(|digit| DIGITS.get(usize::from(digit.wrapping_sub(b'0'))));
    letters.collect()
}
