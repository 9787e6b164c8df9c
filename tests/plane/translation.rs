//! From an HTTPRoute to nginx's words: as much of the Gateway API as our routes use, and no more. For tests only: it leaves out TLS, paths,
//! several routes and whatever else a gateway must know.

use serde_json::Value;
use std::fmt::Write as _;

use crate::cluster::lab::text;

/// Where nginx answers with the number of its configuration.
pub(crate) const NUMBER: &str = "/.number";

/// Addresses of a Service's ready pods.
pub(crate) type Backends = Vec<(String, Vec<String>)>;

/// A configuration that serves the route at this address. The folder is nginx's own.
pub(crate) fn config(route: &Value, backends: &Backends, listen: &str, folder: &str) -> String {
    let mut http = String::new();
    for (service, addresses) in backends {
        let mut servers: String = addresses
            .iter()
            .map(|address| format!("server {address}; "))
            .collect::<Vec<_>>()
            .concat();
        if servers.is_empty() {
            servers = format!("server unix:{folder}/nobody; ");
        }
        line(&mut http, &format!("upstream {service} {{ {servers}}}"));
    }
    let rules = route["spec"]["rules"].as_array().unwrap();
    for (place, rule) in rules.iter().enumerate() {
        matched(&mut http, place, rule);
        shared(&mut http, place, rule);
        copied(&mut http, place, rule);
    }
    let all = |name: &str| -> String {
        (0..rules.len())
            .map(|place| format!("${name}{place}"))
            .collect::<Vec<_>>()
            .concat()
    };
    let each = |name: &str| -> String {
        (0..rules.len())
            .map(|place| format!("{place} ${name}{place}; "))
            .collect::<Vec<_>>()
            .concat()
    };
    let first: String = (0..rules.len())
        .map(|place| format!("\"~^{}1\" {place}; ", "0".repeat(place)))
        .collect::<Vec<_>>()
        .concat();
    line(
        &mut http,
        &format!("map \"{}\" $rule {{ default none; {first}}}", all("fits")),
    );
    line(
        &mut http,
        &format!("map $rule $backend {{ default \"\"; {}}}", each("backend")),
    );
    line(
        &mut http,
        &format!("map $rule $copy {{ default \"\"; {}}}", each("copy")),
    );
    line(
        &mut http,
        &format!("map \"$rule $backend\" $cookie {{ default \"\"; {}}}", cookies(rules)),
    );
    let hosts = route["spec"]["hostnames"].as_array().into_iter().flatten();
    let hosts: Vec<&str> = hosts.map(text).collect();
    let server = format!(
        "server {{ listen {listen}; server_name {}; proxy_http_version 1.1; proxy_set_header Host $host;
          location = {NUMBER} {{ return 200 \"$number\"; }}
          location / {{ if ($backend = \"\") {{ return 404; }} mirror /.copy; add_header Set-Cookie $cookie always; proxy_pass http://$backend; }}
          location = /.copy {{ internal; if ($copy = \"\") {{ return 204; }} proxy_pass http://$copy$request_uri; }} }}",
        hosts.join(" ")
    );
    line(&mut http, &server);
    http
}

/// The whole file: what was made of the objects, and its number.
pub(crate) fn file(http: &str, number: u64, folder: &str) -> String {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temporary: String = temporary
        .iter()
        .map(|name| format!("{name}_temp_path {folder}/{name}; "))
        .collect::<Vec<_>>()
        .concat();
    format!(
        "pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; daemon off;
events {{ worker_connections 512; }}
http {{ access_log off; {temporary}
map $host $number {{ default {number}; }}
{http}}}\n"
    )
}

fn line(text: &mut String, words: &str) {
    writeln!(text, "{words}").unwrap();
}

/// `$fits0`: whether the rule's conditions hold. Only headers are known; a rule without any fits always.
fn matched(http: &mut String, place: usize, rule: &Value) {
    let mut names = String::new();
    let matches = rule["matches"].as_array().into_iter().flatten();
    let headers = matches.flat_map(|found| found["headers"].as_array().into_iter().flatten());
    for (number, header) in headers.enumerate() {
        let name = text(&header["name"]).to_lowercase().replace('-', "_");
        let value = match text(&header["type"]) {
            "RegularExpression" => format!("~{}", text(&header["value"])),
            _ => text(&header["value"]).to_owned(),
        };
        line(
            http,
            &format!("map $http_{name} $fits{place}_{number} {{ default 0; \"{value}\" 1; }}"),
        );
        write!(names, "$fits{place}_{number}").unwrap();
    }
    line(
        http,
        &format!("map \"{names}\" $fits{place} {{ default 1; \"~0\" 0; }}"),
    );
}

/// `$backend0`: a Service, by weight.
fn shared(http: &mut String, place: usize, rule: &Value) {
    let backends = rule["backendRefs"].as_array().unwrap();
    let weight = |backend: &Value| backend["weight"].as_i64().unwrap_or(1);
    let total: i64 = backends.iter().map(weight).sum();
    let shares = backends.iter().filter(|backend| weight(backend) > 0).map(|backend| {
        let percent = 100.0 * weight(backend) as f64 / total as f64;
        (percent, text(&backend["name"]).to_owned())
    });
    divided(http, &format!("backend{place}"), &shares.collect::<Vec<_>>());
}

/// `$copy0`: the Service that gets copies, for a part of the requests.
fn copied(http: &mut String, place: usize, rule: &Value) {
    let mut filters = rule["filters"].as_array().into_iter().flatten();
    let mirror = filters
        .find(|filter| filter["type"] == "RequestMirror")
        .map(|filter| &filter["requestMirror"]);
    let shares = mirror.map(|mirror| {
        let percent = mirror["percent"].as_f64().unwrap_or(100.0);
        vec![
            (percent, text(&mirror["backendRef"]["name"]).to_owned()),
            (100.0 - percent, "\"\"".to_owned()),
        ]
    });
    divided(
        http,
        &format!("copy{place}"),
        &shares.unwrap_or_else(|| vec![(100.0, "\"\"".to_owned())]),
    );
}

fn divided(http: &mut String, name: &str, shares: &[(f64, String)]) {
    let (last, others) = shares.split_last().unwrap();
    let others = others.iter().filter(|(percent, _)| *percent > 0.0);
    let others: String = others
        .map(|(percent, to)| format!("{percent:.2}% {to}; "))
        .collect::<Vec<_>>()
        .concat();
    line(
        http,
        &format!(
            "split_clients \"{name} $request_id\" ${name} {{ {others}* {}; }}",
            last.1
        ),
    );
}

/// What is set by the filter of a whole rule, or of one of its backends.
fn cookies(rules: &[Value]) -> String {
    let mut text = String::new();
    for (place, rule) in rules.iter().enumerate() {
        if let Some(cookie) = cookie(&rule["filters"]) {
            write!(text, "\"~^{place} \" \"{cookie}\"; ").unwrap();
        }
        for backend in rule["backendRefs"].as_array().into_iter().flatten() {
            if let Some(cookie) = cookie(&backend["filters"]) {
                write!(text, "\"{place} {}\" \"{cookie}\"; ", backend["name"].as_str().unwrap()).unwrap();
            }
        }
    }
    text
}

fn cookie(filters: &Value) -> Option<&str> {
    let mut filters = filters.as_array()?.iter();
    let filter = filters.find(|filter| filter["type"] == "ResponseHeaderModifier")?;
    let mut added = filter["responseHeaderModifier"]["add"].as_array()?.iter();
    added.find(|header| header["name"] == "Set-Cookie")?["value"].as_str()
}
