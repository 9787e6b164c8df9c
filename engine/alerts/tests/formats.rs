use super::{Cluster, canary, entry, provider, sent, single};
use crate::{
    Settings,
    alerts::{message, texts},
    seam::Severity,
};
use crds::{Number, analysis::Analysis, service::HttpMatch};
use serde_json::json;

#[test]
fn traffic_routing_names_the_strategy() {
    let number = |value: f64| Some(Number(value));
    let cases = [
        (
            Analysis {
                iterations: number(2.0),
                matches: vec![HttpMatch::default()],
                ..Analysis::default()
            },
            Some("A/B Testing"),
        ),
        (
            Analysis {
                iterations: number(2.0),
                ..Analysis::default()
            },
            Some("Blue/Green"),
        ),
        (
            Analysis {
                step_weights: [1.0, 2.0, 10.0, 80.0].map(Number).to_vec(),
                ..Analysis::default()
            },
            Some("Weight steps: 1,2,10,80 max: 0"),
        ),
        (
            Analysis {
                step_weight: number(5.0),
                max_weight: number(50.0),
                ..Analysis::default()
            },
            Some("Weight step: 5 max: 50"),
        ),
        (Analysis::default(), None),
    ];
    for (analysis, expected) in cases {
        let mut canary = canary(Vec::new());
        canary.spec.analysis = Some(analysis);
        let message = message(&canary, &texts::started(), &Settings::default());
        let routing = message.fields.iter().find(|(name, _)| name == "Traffic routing");
        assert_eq!(routing.map(|(_, value)| value.as_str()), expected);
    }
}

#[test]
fn every_format_sends_what_was_recorded() {
    let address = |kind: &str| json!({"type": kind, "address": "http://chat.test/x?thread_id=1", "channel": kind, "username": "canary"});
    let attachment = |kind: &str, color: &str| {
        json!({
            "attachments": [{
                "author_name": "app.t", "color": color, "fields": [], "mrkdwn_in": ["text"],
                "text": "Canary analysis completed successfully, promotion finished."
            }],
            "channel": kind, "icon_emoji": ":rocket:", "icon_url": "", "username": "canary"
        })
    };
    let teams = json!({
        "@context": "http://schema.org/extensions", "@type": "MessageCard", "summary": "app.t", "themeColor": "0076D7",
        "sections": [{
            "activitySubtitle": "app.t", "facts": [],
            "activityTitle": "Canary analysis completed successfully, promotion finished."
        }]
    });
    let chat = json!({"cards": [{
        "header": {"imageUrl": "https://flagger.app/favicon.png", "subtitle": "app.t", "title": "Flagger"},
        "sections": [{"widgets": [{"textParagraph": {
            "text": "<font color=#848484><strong>Canary analysis completed successfully, promotion finished.</strong></font>"
        }}]}]
    }]});
    let cases = [
        ("slack", attachment("slack", "good"), "http://chat.test/x?thread_id=1"),
        (
            "discord",
            attachment("discord", "good"),
            "http://chat.test/x/slack?thread_id=1",
        ),
        (
            "rocket",
            attachment("rocket", "#0076D7"),
            "http://chat.test/x?thread_id=1",
        ),
        ("msteams", teams, "http://chat.test/x?thread_id=1"),
        ("gchat", chat, "http://chat.test/x?thread_id=1"),
    ];
    for (kind, payload, url) in cases {
        let cluster = Cluster([provider(kind, "t", &address(kind))].into());
        let canary = canary(vec![entry(kind, Some("info"), None)]);
        let delivery = single(&canary, &texts::promoted(), &Settings::default(), &cluster);
        assert_eq!(sent(&delivery), payload, "{kind}");
        assert_eq!(delivery.request(None).unwrap().url, url);
        let failed = single(
            &canary,
            &texts::deadline_exceeded("a<b"),
            &Settings::default(),
            &cluster,
        );
        let failed = sent(&failed).to_string();
        assert_ne!(
            kind == "gchat",
            ["danger", "FF0000"].iter().any(|red| failed.contains(red)),
            "{failed}"
        );
        assert_eq!(failed.contains("a<b"), !["gchat", "slack"].contains(&kind), "{failed}");
    }
    let ready = json!({"type": "discord", "address": "http://chat.test/x/slack?thread_id=1"});
    let cluster = Cluster([provider("d", "t", &ready)].into());
    let delivery = single(
        &canary(vec![entry("d", None, None)]),
        &texts::promoted(),
        &Settings::default(),
        &cluster,
    );
    assert_eq!(
        delivery.request(None).unwrap().url,
        "http://chat.test/x/slack?thread_id=1"
    );
}

#[test]
fn fields_become_facts_and_sections() {
    let cases = [
        (
            "msteams",
            "/sections/0/facts/0",
            json!({"name": "Target", "value": "Deployment/app.t"}),
        ),
        (
            "gchat",
            "/cards/0/sections/1/widgets/0/textParagraph/text",
            json!("Target<br><font color=#848484><strong>Deployment/app.t</strong></font>"),
        ),
    ];
    for (kind, pointer, expected) in cases {
        let cluster = Cluster(
            [provider(
                "p",
                "t",
                &json!({"type": kind, "address": "http://chat.test/"}),
            )]
            .into(),
        );
        let canary = canary(vec![entry("p", None, None)]);
        let delivery = single(&canary, &texts::started(), &Settings::default(), &cluster);
        assert_eq!(sent(&delivery).pointer(pointer), Some(&expected));
    }
}

#[test]
fn texts_are_as_recorded() {
    let cases = [
        (
            texts::initialized("DaemonSet"),
            Severity::Info,
            true,
            "New DaemonSet detected, initialization completed.",
        ),
        (
            texts::started(),
            Severity::Info,
            true,
            "New revision detected, progressing canary analysis.",
        ),
        (
            texts::promoted(),
            Severity::Info,
            false,
            "Canary analysis completed successfully, promotion finished.",
        ),
        (
            texts::promoted_unjudged(),
            Severity::Info,
            false,
            "Canary analysis was skipped, promotion finished.",
        ),
        (
            texts::waiting_rollout(),
            Severity::Warn,
            false,
            "Canary is waiting for approval.",
        ),
        (
            texts::waiting_promotion(),
            Severity::Warn,
            false,
            "Canary promotion is waiting for approval.",
        ),
        (
            texts::waiting_traffic_increase(),
            Severity::Warn,
            false,
            "Canary traffic increase is waiting for approval.",
        ),
        (
            texts::manual_rollback(),
            Severity::Warn,
            false,
            "Rolling back manual webhook invoked",
        ),
        (
            texts::threshold_reached(2),
            Severity::Error,
            false,
            "Failed checks threshold reached 2",
        ),
        (
            texts::promotion_failed("x"),
            Severity::Error,
            false,
            "Promotion failed, primary not ready: x",
        ),
    ];
    for (alert, severity, with_fields, message) in cases {
        assert_eq!(
            (alert.severity, alert.with_fields, alert.message.as_str()),
            (severity, with_fields, message)
        );
    }
}
