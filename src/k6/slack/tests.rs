//! Against a Slack that is played, in paused time; with the courier, which is all that calls it.

use super::*;
use crate::k6::courier::{self, News};
use actors::outbound::scripted;
use parking_lot::Mutex;
use std::sync::Arc;

type Calls = Arc<Mutex<Vec<(String, String, Option<String>)>>>;

/// A Slack that knows every channel but `unknown`, and what it was asked: method, body, credential.
fn slack(token: &str) -> (Slack, Calls) {
    let world = World::threads(tokio::runtime::Handle::current(), Vec::new());
    let calls: Calls = Arc::default();
    let heard = calls.clone();
    let outbound = scripted(move |request| {
        let method = request.url.rsplit('/').next().unwrap_or_default().to_owned();
        let credential = request.headers.iter().find(|(name, _)| name == "Authorization");
        let credential = credential.map(|(_, value)| value.clone());
        heard.lock().push((method.clone(), request.body.clone(), credential));
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let answer = match method.as_str() {
            "chat.postMessage" if body["channel"] == "unknown" => json!({"ok": false, "error": "channel_not_found"}),
            "chat.postMessage" => {
                json!({"ok": true, "channel": format!("C-{}", body["channel"].as_str().unwrap()), "ts": "1.5"})
            }
            "files.getUploadURLExternal" => json!({"ok": true, "upload_url": "http://files.test/put", "file_id": "F1"}),
            _ => json!({"ok": true}),
        };
        let response = Response {
            status: 200,
            body: answer.to_string(),
            retry_after: None,
        };
        (Duration::from_millis(5), Ok(response))
    });
    (Slack::new(world, outbound, "http://slack.test/api", token), calls)
}

async fn play(token: &str, channels: &[&str], context: &str, news: Vec<News>) -> Vec<(String, Value, Option<String>)> {
    let (slack, calls) = slack(token);
    let channels: Vec<String> = channels.iter().map(|name| (*name).to_owned()).collect();
    let (courier, route) = courier::hire(&slack, "checkout", "shop", &channels, context);
    for piece in news {
        courier.tell(piece);
    }
    drop(courier);
    route.work().await;
    let calls = calls.lock().clone();
    let read = |(method, body, credential): (String, String, Option<String>)| {
        let value = serde_json::from_str(&body).unwrap_or(Value::String(body));
        (method, value, credential)
    };
    calls.into_iter().map(read).collect()
}

#[tokio::test(start_paused = true)]
async fn one_message_is_posted_and_edited_and_the_results_are_in_its_thread() {
    let news = vec![
        News::Started("Cloud URL: <https://app.k6.io/runs/1>".into()),
        News::Ended(true, "the results".into(), String::new()),
    ];
    let calls = play("xoxb-1", &["tests"], "My Cluster", news).await;
    let methods: Vec<&str> = calls.iter().map(|(method, ..)| method.as_str()).collect();
    let wanted = [
        "chat.postMessage",
        "files.getUploadURLExternal",
        "put",
        "files.completeUploadExternal",
        "chat.update",
    ];
    assert_eq!(methods, wanted);
    let text = |call: usize| calls[call].1["blocks"][0]["text"]["text"].clone();
    assert_eq!(
        text(0),
        ":warning: Load testing of `checkout` in namespace `shop` has started"
    );
    assert_eq!(
        text(4),
        ":large_green_circle: Load testing of `checkout` in namespace `shop` has succeeded"
    );
    assert_eq!(
        calls[0].1["blocks"][1]["elements"][0]["text"],
        "My Cluster\nCloud URL: <https://app.k6.io/runs/1>"
    );
    assert_eq!(calls[1].1, "filename=k6-results.txt&length=11");
    assert_eq!(calls[2].1, "the results");
    let thread =
        json!({"files": [{"id": "F1", "title": "k6-results.txt"}], "channel_id": "C-tests", "thread_ts": "1.5"});
    assert_eq!(calls[3].1, thread);
    assert_eq!(
        (&calls[4].1["channel"], &calls[4].1["ts"]),
        (&json!("C-tests"), &json!("1.5"))
    );
    assert_eq!(calls[0].2.as_deref(), Some("Bearer xoxb-1"));
    assert_eq!(calls[2].2, None, "the file's server gets no token");
}

#[tokio::test(start_paused = true)]
async fn failures_have_their_words() {
    let ended = News::Ended(false, String::new(), "stopped: the client is gone".into());
    let calls = play("t", &["tests"], "", vec![News::Started(String::new()), ended]).await;
    let last = &calls.last().unwrap().1;
    assert_eq!(
        last["text"],
        ":red_circle: Load testing of `checkout` in namespace `shop` has failed"
    );
    assert_eq!(last["blocks"][1]["elements"][0]["text"], "stopped: the client is gone");
    assert_eq!(
        calls[0].1["blocks"].as_array().unwrap().len(),
        1,
        "no context, no block"
    );

    let calls = play("t", &["tests"], "", vec![News::NotStarted("why".into())]).await;
    let text = ":red_circle: Load testing of `checkout` in namespace `shop` didn't start successfully";
    assert_eq!(calls[0].1["text"], text);
    assert_eq!(calls.len(), 4, "and what it said is attached: {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn one_channel_that_fails_does_not_silence_the_others() {
    let news = vec![
        News::Started(String::new()),
        News::Ended(true, "x".into(), String::new()),
    ];
    let calls = play("t", &["unknown", "tests"], "", news).await;
    let updated: Vec<&Value> = calls
        .iter()
        .filter(|(method, ..)| method == "chat.update")
        .map(|(_, body, _)| body)
        .collect();
    assert_eq!(updated.len(), 1);
    assert_eq!(updated[0]["channel"], "C-tests");
}

#[tokio::test(start_paused = true)]
async fn without_a_token_nothing_is_sent() {
    let calls = play("", &["tests"], "", vec![News::Started(String::new())]).await;
    assert!(calls.is_empty(), "{calls:?}");
}
