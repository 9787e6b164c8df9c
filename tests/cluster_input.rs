//! Bad input stops only its own canary, with an Event, a condition and a metric; mending it is enough to go on.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixture is for all cluster tests, this one needs a part of it"
)]

mod cluster;

use cluster::{
    lab::{Lab, Room},
    objects::{NEW, canary, deployment},
    process::Controller,
    server::{Hooks, serve},
    until,
};
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;

const MINUTE: Duration = Duration::from_mins(1);

/// A mistake in the spec of a canary that is sound otherwise.
struct Mistake {
    name: &'static str,
    /// Laid over the spec.
    spec: Value,
    /// What the condition and the Event must mention.
    mention: &'static str,
    /// Laid over the spec to mend it.
    mended: Value,
}

fn mistakes() -> Vec<Mistake> {
    let mistake = |name, spec, mention, mended| Mistake {
        name,
        spec,
        mention,
        mended,
    };
    vec![
        mistake(
            "fraction",
            json!({"analysis": {"stepWeight": 2.5}}),
            "spec.analysis.stepWeight: 2.5 is not a whole number",
            json!({"analysis": {"stepWeight": 25}}),
        ),
        mistake(
            "ungated",
            json!({"service": {"gatewayRefs": null}}),
            "spec.service.gatewayRefs",
            json!({"service": {"gatewayRefs": [{"name": "public"}]}}),
        ),
        mistake(
            "idle",
            json!({"provider": "knative"}),
            "spec.targetRef: the provider is knative",
            json!({"provider": "kubernetes"}),
        ),
        mistake(
            "gone",
            json!({"provider": "supergloo"}),
            "use gloo for the gateway, or the provider of the mesh behind it",
            json!({"provider": "gatewayapi:v1"}),
        ),
        mistake(
            "stuck",
            json!({"analysis": {"stepWeights": [10, 10]}}),
            "spec.analysis.stepWeights[1]",
            json!({"analysis": {"stepWeights": [10, 20]}}),
        ),
    ]
}

#[tokio::test]
async fn bad_input_stops_only_its_own_canary() {
    let Some(lab) = Lab::open().await else { return };
    let room = lab.room("input").await;
    let controller = Controller::start(&lab, "input", &[]).await;
    let mistakes = mistakes();
    let each = mistakes
        .iter()
        .map(|mistake| stands_and_is_mended(&room, &controller, mistake));
    tokio::join!(
        join_all(each),
        missing_target(&room, &controller),
        unreadable(&room, &controller),
        broken_template(&room, &controller),
        good(&room),
    );
    let ended = controller.terminate(Duration::from_secs(10)).await;
    assert!(ended.success(), "{ended}");
    lab.close().await;
}

/// The other canaries stand still beside this one.
async fn good(room: &Room<'_>) {
    room.create("deployments", deployment("good")).await;
    room.create("canaries", canary("good")).await;
    room.until_phase("good", "Initialized").await;
    room.set_image("good", "podinfod", NEW);
    let status = room.until_phase("good", "Succeeded").await;
    assert_eq!(accepted(&status), None);
}

async fn stands_and_is_mended(room: &Room<'_>, controller: &Controller, mistake: &Mistake) {
    let name = mistake.name;
    room.create("deployments", deployment(name)).await;
    let mut object = canary(name);
    room.create("canaries", {
        lay(&mut object["spec"], &mistake.spec);
        object
    })
    .await;
    is_refused(room, controller, name, mistake.mention).await;
    assert!(
        room.find("deployments", &format!("{name}-primary")).await.is_none(),
        "{name}: nothing is made"
    );
    room.patch("canaries", name, json!({"spec": mistake.mended})).await;
    is_accepted(room, controller, name).await;
}

/// RFC 7386, as far as it is needed.
fn lay(base: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *base = patch.clone();
        return;
    };
    for (key, value) in fields {
        match value {
            Value::Null => drop(base.as_object_mut().unwrap().remove(key)),
            value => lay(&mut base[key.as_str()], value),
        }
    }
}

/// Reason and message of the condition `Accepted`, which is only there when something is wrong.
fn accepted(status: &Value) -> Option<(String, String)> {
    let conditions = status["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == "Accepted")?;
    assert_eq!(condition["status"], "False");
    Some((
        condition["reason"].as_str()?.to_owned(),
        condition["message"].as_str()?.to_owned(),
    ))
}

/// Condition, Event and metric.
async fn is_refused(room: &Room<'_>, controller: &Controller, name: &str, mention: &str) {
    let says = |status: &Value| accepted(status).is_some_and(|(_, message)| message.contains(mention));
    room.until_status(name, &format!("refused because of {mention}"), says)
        .await;
    room.until_told(name, &[mention]).await;
    until_series(room, controller, name, 0).await;
}

async fn is_accepted(room: &Room<'_>, controller: &Controller, name: &str) {
    let status = room.until_phase(name, "Initialized").await;
    assert_eq!(accepted(&status), None, "{name}");
    until_series(room, controller, name, 1).await;
}

async fn until_series(room: &Room<'_>, controller: &Controller, name: &str, value: u8) {
    let labels = format!("{{name=\"{name}\",namespace=\"{}\"}} {value}", room.name);
    until(&format!("aviary_canary_accepted{labels}"), MINUTE, async || {
        let lines = controller.series("aviary_canary_accepted").await;
        lines.iter().any(|line| line.ends_with(&labels)).then_some(())
    })
    .await;
}

async fn missing_target(room: &Room<'_>, controller: &Controller) {
    room.create("canaries", canary("absent")).await;
    is_refused(
        room,
        controller,
        "absent",
        "is not there; create it, or correct spec.targetRef",
    )
    .await;
    room.create("deployments", deployment("absent")).await;
    is_accepted(room, controller, "absent").await;
}

/// What the schema lets through and nobody can read: no spec at all, and a port that no number type of ports holds.
async fn unreadable(room: &Room<'_>, controller: &Controller) {
    room.create("deployments", deployment("bare")).await;
    room.create("deployments", deployment("huge")).await;
    room.create("canaries", json!({"metadata": {"name": "bare"}})).await;
    let mut object = canary("huge");
    object["spec"]["service"]["targetPort"] = json!(99_999_999_999_u64);
    room.create("canaries", object).await;
    is_refused(room, controller, "bare", "cannot read spec: it is missing").await;
    is_refused(room, controller, "huge", "cannot read spec.service.targetPort").await;
    room.patch("canaries", "bare", json!({"spec": canary("bare")["spec"]}))
        .await;
    room.patch("canaries", "huge", json!({"spec": {"service": {"targetPort": 9898}}}))
        .await;
    is_accepted(room, controller, "bare").await;
    is_accepted(room, controller, "huge").await;
}

/// The template is a resource of its own, and so is its mending.
async fn broken_template(room: &Room<'_>, controller: &Controller) {
    let port = serve(|_, _| {
        let answer =
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"100"]}]}}"#;
        (200, answer.into())
    });
    let template = |query: &str| {
        json!({
            "metadata": {"name": "share"},
            "spec": {"provider": {"type": "prometheus", "address": format!("http://127.0.0.1:{port}")}, "query": query},
        })
    };
    room.create("metrictemplates", template("sum(up{ {{ if }} })")).await;
    room.create("deployments", deployment("templated")).await;
    let hooks = Hooks::start();
    let mut object = canary("templated");
    object["spec"]["analysis"]["metrics"] = json!([{
        "name": "share", "interval": "10s", "thresholdRange": {"min": 99}, "templateRef": {"name": "share"},
    }]);
    object["spec"]["analysis"]["webhooks"] = json!([{"name": "noted", "type": "event", "url": hooks.url("/event")}]);
    room.create("canaries", object).await;
    room.until_phase("templated", "Initialized").await;
    is_refused(room, controller, "templated", "Metric template share.").await;
    let told = hooks.bodies("/event");
    assert!(told.iter().any(|body| body.contains("cannot be used")), "{told:#?}");

    room.patch("metrictemplates", "share", json!({"spec": template("sum(up)")["spec"]}))
        .await;
    room.until_status("templated", "accepted", |status| accepted(status).is_none())
        .await;
    until_series(room, controller, "templated", 1).await;
    room.set_image("templated", "podinfod", NEW);
    room.until_phase("templated", "Succeeded").await;
}
