//! Redirects, by the usual rules for clients (controller.md 7.1), with one of our own: to another server no header goes along that
//! could be a credential, and a `DD-API-KEY` is one as much as an `Authorization` (W-51).

use engine::{
    http::{Method, Request},
    seam::Trouble,
};
use reqwest::Url;

/// Redirects followed for one request.
pub(super) const REDIRECTS_MAX: usize = 10;
/// Headers that describe the body or the wanted answer; all others may be credentials.
const HARMLESS: [&str; 2] = ["content-type", "accept"];

/// The request that an answer sends us on to, if it does.
pub(super) fn next(request: &Request, status: u16, location: Option<&str>) -> Result<Option<Request>, Trouble> {
    let Some(location) = location.filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308)) else {
        return Ok(None);
    };
    let from = parse(Url::parse(&request.url))?;
    let to = parse(from.join(location))?;
    super::origin(to.as_str())?;
    let mut next = request.clone();
    next.url = to.to_string();
    if status <= 303 {
        next.method = Method::Get;
        next.body = String::new();
        next.headers
            .retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
    }
    if !is_same_server(&from, &to) {
        next.headers
            .retain(|(name, _)| HARMLESS.iter().any(|kept| name.eq_ignore_ascii_case(kept)));
    }
    Ok(Some(next))
}

/// Same origin, or the same host's standard step from http to https.
fn is_same_server(from: &Url, to: &Url) -> bool {
    let is_upgrade = from.scheme() == "http" && to.scheme() == "https" && from.port().is_none() && to.port().is_none();
    from.origin() == to.origin() || (is_upgrade && from.host() == to.host())
}

fn parse<E: std::fmt::Display>(url: Result<Url, E>) -> Result<Url, Trouble> {
    url.map_err(|error| Trouble::Refused(format!("redirected to a bad URL: {error}")))
}
