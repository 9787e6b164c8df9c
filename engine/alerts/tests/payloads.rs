//! Every payload as it leaves the house: a snapshot per channel and severity, and each against the public limits of its vendor, with
//! friendly and with hostile input.

use super::{Cluster, canary, entry, provider, single};
use crate::{
    Settings,
    alerts::{Undeliverable, limits, route, texts},
    http::Request,
    seam::{Alert, Reason, Severity},
};
use crds::{Canary, Number, analysis::Analysis};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};

/// Channel, type, and whether its Secret has a bot token.
const CHANNELS: [(&str, &str, bool); 6] = [
    ("slack-webhook", "slack", false),
    ("slack-bot", "slack", true),
    ("msteams", "msteams", false),
    ("discord", "discord", false),
    ("rocket", "rocket", false),
    ("gchat", "gchat", false),
];

/// `data` of a Secret with `address` http://chat.test/hook and, for a bot, `token` t0ken.
fn secret(is_bot: bool) -> Value {
    let address = "aHR0cDovL2NoYXQudGVzdC9ob29r";
    if is_bot {
        return json!({"data": {"address": address, "token": "dDBrZW4="}});
    }
    json!({"data": {"address": address}})
}

fn send(canary: &Canary, (channel, kind, is_bot): (&str, &str, bool), alert: &Alert, more: &Value) -> Request {
    let mut spec = json!({"type": kind, "secretRef": {"name": channel}});
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    let cluster = Cluster([provider(channel, "t", &spec)].into());
    let mut canary = canary.clone();
    if let Some(analysis) = &mut canary.spec.analysis {
        analysis.alerts = vec![entry(channel, Some("info"), Some("t"))];
    }
    let settings = Settings {
        cluster_name: "prod-1".into(),
        ..Settings::default()
    };
    let delivery = single(&canary, alert, &settings, &cluster);
    delivery.request(Some(&secret(is_bot))).unwrap()
}

/// One alert of each severity; the error carries its reason.
fn alerts() -> [Alert; 3] {
    let mut failed = texts::threshold_reached(3);
    failed.reason = Reason::Named("Halt app.t advancement success rate 87.50% < 99%".into());
    [texts::started(), texts::waiting_promotion(), failed]
}

#[test]
fn payloads_are_those_of_the_snapshot() {
    let mut shown = BTreeMap::new();
    for channel in CHANNELS {
        for alert in alerts() {
            let request = send(&canary(Vec::new()), channel, &alert, &json!({}));
            let name = format!("{} {:?}", channel.0, alert.severity).to_lowercase();
            let body: Value = serde_json::from_str(&request.body).unwrap();
            shown.insert(
                name,
                json!({"url": request.url, "headers": request.headers, "body": body}),
            );
        }
    }
    assert_eq!(shown.len(), 18);
    let shown = serde_json::to_string_pretty(&shown).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts/tests/payloads.json");
    if std::env::var("AVIARY_REGENERATE").is_ok_and(|value| value == "1") {
        fs::write(&path, &shown).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let stale = "look at the change, then run `AVIARY_REGENERATE=1 cargo test -p engine payloads`";
    assert!(kept == shown, "{} is stale: {stale}", path.display());
}

#[test]
fn every_vendor_takes_what_is_sent() {
    for canary in [canary(Vec::new()), hostile_canary()] {
        for text in hostile_texts().into_iter().chain(["all is well".into()]) {
            for severity in [Severity::Info, Severity::Warn, Severity::Error] {
                let alert = Alert {
                    severity,
                    message: text.clone(),
                    with_fields: true,
                    reason: Reason::Named(text.clone()),
                };
                for channel in CHANNELS {
                    let request = send(&canary, channel, &alert, &json!({"username": text}));
                    let body: Value = serde_json::from_str(&request.body).unwrap();
                    let broken = broken_limits(channel.1, &body, &request.body);
                    assert!(broken.is_empty(), "{}: {broken:?}\n{}", channel.0, request.body);
                }
            }
        }
    }
}

#[test]
fn what_is_cut_keeps_its_beginning_and_its_end() {
    let cause = format!(
        "Deployment app.t is not ready: {} : connection refused",
        "x".repeat(100_000)
    );
    let alert = texts::deadline_exceeded(&cause);
    for channel in CHANNELS {
        let body = send(&hostile_canary(), channel, &alert, &json!({})).body;
        for part in [
            "Progress deadline exceeded Deployment app.t is not ready",
            "…",
            "connection refused",
        ] {
            assert!(body.contains(part), "{}: {part}", channel.0);
        }
        assert!(
            body.contains(".t\"") || channel.1 == "gchat",
            "the namespace is still there: {body}"
        );
    }
    let plain = "Weight steps: 1,2,3 max: 0";
    for (text, max, cut) in [
        (plain, 100, plain),
        ("short", 5, "short"),
        ("too long", 6, "too…g"),
        ("line\r\nend\0", 100, "line \nend "),
        ("ÄÖÜäöü", 4, "ÄÖ…ü"),
        ("🐦🐦🐦🐦", 7, "🐦🐦…🐦"),
        ("🐦🐦🐦🐦", 6, "🐦🐦…"),
        ("", 3, ""),
    ] {
        let short = limits::shorten(text, max);
        assert_eq!(short, cut);
        assert!(limits::length(&short) <= max, "{short}");
    }
}

#[test]
fn an_error_text_calls_nobody_and_makes_no_links() {
    let alert = texts::promotion_failed("<!channel> see <https://evil.test|the logs> & <b>act</b>");
    for channel in CHANNELS {
        let body = send(&canary(Vec::new()), channel, &alert, &json!({})).body;
        let is_raw = body.contains("<!channel>") || body.contains("<b>act");
        // The others read no markup of this form.
        assert_eq!(is_raw, ["msteams", "discord", "rocket"].contains(&channel.1), "{body}");
    }
}

#[test]
fn a_channel_that_cannot_be_is_refused_and_not_cut() {
    let spec = json!({"type": "slack", "address": "http://chat.test/", "channel": "c".repeat(257)});
    let cluster = Cluster([provider("long", "t", &spec)].into());
    let canary = canary(vec![entry("long", None, None)]);
    let mut routes = route(&canary, &texts::promoted(), &Settings::default(), &cluster);
    let refused = routes.remove(0).unwrap().request(None);
    assert_eq!(refused, Err(Undeliverable::Channel("long".into())));
}

proptest! {
    /// A short text stays, a long one has exactly one gap, and nothing is longer than wished.
    #[test]
    fn nothing_is_longer_than_wished(text in "(\\PC|[\u{0}\u{1b}\n🐦]){0,80}", max in 1_usize..60) {
        let short = limits::shorten(&text, max);
        prop_assert!(limits::length(&short) <= max);
        prop_assert!(!short.chars().any(|letter| letter.is_control() && letter != '\n' && letter != '\t'));
        if limits::length(&text) <= max {
            prop_assert_eq!(short.chars().count(), text.chars().count());
        } else {
            prop_assert!(short.contains('…'));
        }
    }
}

/// Names as long as Kubernetes allows and longer, a hundred steps of a weight.
fn hostile_canary() -> Canary {
    let mut canary = canary(Vec::new());
    canary.metadata.name = Some("n".repeat(253));
    canary.spec.target_ref.name = "t\u{0}\u{202e}\"'<>&".repeat(1000);
    canary.spec.analysis = Some(Analysis {
        step_weights: (0..1000).map(|step| Number(f64::from(step) + 0.123_456_789)).collect(),
        ..Analysis::default()
    });
    canary
}

fn hostile_texts() -> Vec<String> {
    [
        "&",
        "<",
        "\"",
        "\\",
        "\n",
        "\u{0}",
        "\u{1b}[31m",
        "\u{2028}",
        "Ä",
        "文",
        "🐦",
        "@everyone <!channel> ",
        "}]}\",{",
    ]
    .map(|part| part.repeat(20_000))
    .into()
}

/// What a vendor's public documentation would refuse or cut.
fn broken_limits(kind: &str, body: &Value, text: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let mut holds = |what: &str, is: usize, most: usize| {
        if is > most {
            broken.push(format!("{what}: {is} > {most}"));
        }
    };
    let units = |value: &Value| value.as_str().unwrap_or_default().encode_utf16().count();
    match kind {
        "msteams" => {
            // 28 KB a message, counted in two bytes a character by the service.
            holds("message", 2 * text.encode_utf16().count(), 28 * 1024);
            holds("message", text.len(), 28 * 1024);
            let is_summed = units(&body["summary"]) > 0;
            holds("no summary and no text", usize::from(!is_summed), 0);
        }
        "gchat" => {
            holds("message", text.len(), 32_000);
            let sections = body["cards"][0]["sections"].as_array().unwrap();
            holds("sections", sections.len(), 100);
            for section in sections {
                let text = &section["widgets"][0]["textParagraph"]["text"];
                let shown = text.as_str().unwrap();
                let is_closed = shown.matches('<').count() == shown.matches('>').count() && shown.ends_with("</font>");
                holds("broken markup", usize::from(!is_closed), 0);
                holds("text of a widget as shown", units(&json!(unescaped(shown))), 4_096);
            }
        }
        kind => attachment_limits(kind, body, text, &mut holds),
    }
    broken
}

/// The form of Slack, Discord and Rocket.Chat.
fn attachment_limits(kind: &str, body: &Value, text: &str, holds: &mut dyn FnMut(&str, usize, usize)) {
    let units = |value: &Value| value.as_str().unwrap_or_default().encode_utf16().count();
    let attachment = &body["attachments"][0];
    let fields = attachment["fields"].as_array().unwrap();
    holds("username", units(&body["username"]), 80);
    let mut total = units(&attachment["author_name"]) + units(&attachment["text"]);
    for field in fields {
        total += units(&field["title"]) + units(&field["value"]);
        holds("empty field", usize::from(units(&field["value"]) == 0), 0);
    }
    match kind {
        "discord" => {
            holds("author", units(&attachment["author_name"]), 256);
            holds("description", units(&attachment["text"]), 4_096);
            holds("fields", fields.len(), 25);
            for field in fields {
                holds("field name", units(&field["title"]), 256);
                holds("field value", units(&field["value"]), 1_024);
            }
            holds("embed", total, 6_000);
        }
        "rocket" => holds("message", units(&attachment["text"]), 5_000),
        _ => {
            let shown = unescaped(attachment["text"].as_str().unwrap());
            holds("attachments", body["attachments"].as_array().unwrap().len(), 20);
            holds("text of an attachment", units(&json!(shown)), 8_000);
            holds("message", text.encode_utf16().count(), 40_000);
        }
    }
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">");
    text.replace("&amp;", "&")
}
