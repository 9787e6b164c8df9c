//! Tells Slack about one test: one message for each channel, edited as the test goes on, with the results in its thread
//! (k6-webhook.md 7). Beside the test, so that a slow Slack delays nobody, and channel by channel, so that one that fails does not
//! silence the others (K6-16).

use tokio::sync::mpsc;

use super::slack::{Message, Slack};

/// News of a test: it began, it ended. A third one never comes.
const NEWS_MAX: usize = 4;

/// What is told.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// It runs; the second line of the context.
    Started(String),
    /// It never ran; what it said.
    NotStarted(String),
    /// It ended: whether well, what it said, and why it was stopped.
    Ended(bool, String, String),
}

/// The end that tells.
#[derive(Clone)]
pub(super) struct Courier(mpsc::Sender<News>);

/// The end that carries.
pub(super) struct Route {
    news: mpsc::Receiver<News>,
    slack: Slack,
    channels: Vec<String>,
    subject: String,
    context: String,
    posted: Vec<Message>,
}

/// A courier for one test and the work that it is for somebody to do.
pub(super) fn hire(slack: &Slack, name: &str, namespace: &str, channels: &[String], context: &str) -> (Courier, Route) {
    let (sender, news) = mpsc::channel(NEWS_MAX);
    let route = Route {
        news,
        slack: slack.clone(),
        channels: if slack.is_on() { channels.to_vec() } else { Vec::new() },
        subject: format!("Load testing of `{name}` in namespace `{namespace}`"),
        context: context.to_owned(),
        posted: Vec::new(),
    };
    (Courier(sender), route)
}

// === impl Courier ===

impl Courier {
    /// Tell it; never waits, as there are more places than news.
    pub(super) fn tell(&self, news: News) {
        self.0.try_send(news).ok();
    }
}

// === impl Route ===

impl Route {
    /// Carry news until there will be none any more.
    pub(super) async fn work(mut self) {
        while let Some(news) = self.news.recv().await {
            match news {
                News::Started(more) => {
                    self.add_context(&more);
                    self.post(":warning:", "has started").await;
                }
                News::NotStarted(results) => {
                    self.post(":red_circle:", "didn't start successfully").await;
                    self.attach(&results).await;
                }
                News::Ended(passed, results, why) => {
                    self.add_context(&why);
                    self.attach(&results).await;
                    let (emoji, status) = if passed {
                        (":large_green_circle:", "has succeeded")
                    } else {
                        (":red_circle:", "has failed")
                    };
                    self.update(emoji, status).await;
                }
            }
        }
    }

    fn add_context(&mut self, more: &str) {
        if !more.is_empty() {
            let context = [self.context.as_str(), more].join("\n");
            context.trim().clone_into(&mut self.context);
        }
    }

    async fn post(&mut self, emoji: &str, status: &str) {
        let text = format!("{emoji} {} {status}", self.subject);
        for channel in &self.channels {
            match self.slack.post(channel, &text, &self.context).await {
                Ok(message) => self.posted.push(message),
                Err(error) => tracing::error!(channel, error, "Slack was not told"),
            }
        }
    }

    async fn attach(&self, results: &str) {
        for message in &self.posted {
            if let Err(error) = self.slack.attach(message, results).await {
                tracing::error!(error, "results were not attached");
            }
        }
    }

    async fn update(&self, emoji: &str, status: &str) {
        let text = format!("{emoji} {} {status}", self.subject);
        for message in &self.posted {
            if let Err(error) = self.slack.update(message, &text, &self.context).await {
                tracing::error!(error, "a Slack message was not updated");
            }
        }
    }
}
