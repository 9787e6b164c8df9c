//! HTTP clients that are kept, one for each way of connecting, so that connections are used again (W-57).

use engine::seam::Trouble;
use parking_lot::Mutex;
use reqwest::{Client, Proxy, redirect::Policy};
use std::time::Duration;

/// Clients kept: two without proxy (verifying and not), the rest for proxies of alert providers, of which there are rarely two.
const CLIENTS_MAX: usize = 16;
/// Idle connections kept per client and server: 16 clients x 8 are 128 sockets per server at worst.
const IDLE_PER_SERVER_MAX: usize = 8;
/// How long a connection may idle: longer than the default interval of a minute.
const IDLE: Duration = Duration::from_secs(90);
/// Name that servers see.
const USER_AGENT: &str = concat!("aviary/", env!("CARGO_PKG_VERSION"));

/// The clients, most recently used last.
#[derive(Default)]
pub(super) struct Pool(Mutex<Vec<(Way, Client)>>);

/// What needs a client of its own.
#[derive(PartialEq)]
struct Way {
    skip_tls_verify: bool,
    proxy: Option<String>,
}

// === impl Pool ===

impl Pool {
    /// The client for this way of connecting.
    pub(super) fn client(&self, skip_tls_verify: bool, proxy: Option<&str>) -> Result<Client, Trouble> {
        let proxy = proxy.map(str::to_owned);
        let way = Way { skip_tls_verify, proxy };
        let mut kept = self.0.lock();
        let found = kept.iter().position(|(known, _)| *known == way);
        let client = match found {
            Some(at) => kept.remove(at).1,
            None => build(&way)?,
        };
        if kept.len() >= CLIENTS_MAX {
            kept.remove(0);
        }
        kept.push((way, client.clone()));
        Ok(client)
    }
}

fn build(way: &Way) -> Result<Client, Trouble> {
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none())
        .referer(false)
        .pool_max_idle_per_host(IDLE_PER_SERVER_MAX)
        .pool_idle_timeout(IDLE)
        .tls_danger_accept_invalid_certs(way.skip_tls_verify);
    if let Some(proxy) = &way.proxy {
        builder = builder.proxy(Proxy::all(proxy).map_err(|error| refused("proxy", error))?);
    }
    builder.build().map_err(|error| refused("client", error))
}

fn refused(what: &str, error: reqwest::Error) -> Trouble {
    Trouble::Refused(format!("bad {what}: {}", super::root_cause(&error.without_url())))
}
