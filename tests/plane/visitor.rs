//! Somebody with a browser: keeps the cookies that are set, forgets those that are taken back, and comes with a new connection each time.

use std::collections::BTreeMap;

use super::objects::Way;
use crate::cluster::lab::Room;

/// A browser.
pub(crate) struct Visitor {
    http: reqwest::Client,
    url: String,
    host: String,
    pub(crate) cookies: BTreeMap<String, String>,
    /// Cookies that were taken back.
    pub(crate) forgotten: Vec<String>,
}

// === impl Visitor ===

impl Visitor {
    pub(crate) fn new(room: &Room<'_>, address: &str) -> Self {
        Self {
            http: reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap(),
            url: format!("http://{address}/"),
            host: Way::host(room),
            cookies: BTreeMap::new(),
            forgotten: Vec::new(),
        }
    }

    /// Look at the page; gives the version that answered.
    pub(crate) async fn look(&mut self) -> String {
        let carried: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = self.http.get(&self.url).header("host", &self.host);
        if !carried.is_empty() {
            request = request.header("cookie", carried.join("; "));
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap().to_owned();
            self.keep(&cookie);
        }
        let page: serde_json::Value = answer.json().await.unwrap();
        page["message"].as_str().unwrap().to_owned()
    }

    fn keep(&mut self, cookie: &str) {
        let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
        let (name, value) = pair.split_once('=').unwrap();
        if attributes.contains("Max-Age=-1") {
            self.cookies.remove(name);
            self.forgotten.push(name.to_owned());
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}
