//! New Relic: NRQL through the query API, or through NerdGraph where the address is a GraphQL endpoint (analysis.md 4.4, AN-27).

use serde_json::{Value, json};

use super::{
    Reading,
    answer::{self, measured, nothing, single},
    provider::{BadProvider, Inquiry, Provider, get},
    question::Question,
    secret,
};
use crate::http::{self, Address, Method, Response};

/// The entry in the table of providers.
pub const PROVIDER: Provider = Provider {
    kind: "newrelic",
    request: |inquiry| ask(inquiry, inquiry.query),
    probe: |inquiry| ask(inquiry, PROBE),
    parse,
    probed: answer::online,
};

/// The query API of templates that name no address.
const ADDRESS: &str = "https://insights-api.newrelic.com";
/// A query that every account can answer.
const PROBE: &str = "SELECT * FROM Metric";
/// NRQL through NerdGraph.
const GRAPHQL: &str =
    "query($account: Int!, $nrql: Nrql!) { actor { account(id: $account) { nrql(query: $nrql) { results } } } }";

fn ask(inquiry: &Inquiry<'_>, query: &str) -> Result<Question, BadProvider> {
    let secret = inquiry.needed_secret(PROVIDER.kind)?;
    let account = secret::required(secret, "newrelic_account_id")?;
    let key = secret::required(secret, "newrelic_query_key")?;
    let Ok(number) = account.parse::<u64>() else {
        return Err(BadProvider::Query(
            "newrelic_account_id in the secret is no number".to_owned(),
        ));
    };
    let address = Address::parse(inquiry.address().unwrap_or(ADDRESS))?;
    let nrql = format!("{query} SINCE {} seconds ago", inquiry.seconds()?);
    if address.url.path().ends_with("/graphql") {
        let mut request = get(address, "", &[], vec![("API-Key".to_owned(), key)]);
        request.method = Method::Post;
        request
            .headers
            .push(("Content-Type".to_owned(), "application/json".to_owned()));
        request.body = json!({"query": GRAPHQL, "variables": {"account": number, "nrql": nrql}}).to_string();
        return Ok(Question::open(request));
    }
    let path = format!("/v1/accounts/{number}/query");
    let headers = vec![("X-Query-Key".to_owned(), key)];
    Ok(Question::open(get(address, &path, &[("nrql", &nrql)], headers)))
}

fn parse(response: &Response) -> Reading {
    let body = match answer::json(response) {
        Ok(body) => body,
        Err(reading) => return reading,
    };
    let graph = &body["data"]["actor"]["account"]["nrql"];
    let error = body["error"].as_str().or_else(|| body["errors"][0]["message"].as_str());
    if let (Some(error), true) = (error, graph["results"].is_null()) {
        return Reading::Failed(format!("error response: {}", http::excerpt(error)));
    }
    let results = if graph.is_object() {
        &graph["results"]
    } else {
        &body["results"]
    };
    match results.as_array().map(Vec::as_slice) {
        Some([only]) => of_result(only),
        None if !results.is_null() => Reading::Failed("the results are no list".to_owned()),
        Some([_, _, ..]) => Reading::NoData("no values found, the query gives several results".to_owned()),
        Some([]) | None => nothing(),
    }
}

/// Only a calculation has a `result`; `count`, `average` and others stand under their own names, and are no data, as with the peer.
fn of_result(result: &Value) -> Reading {
    if let Some(value) = result.get("result") {
        return single(measured(value));
    }
    let names = result.as_object().into_iter().flatten();
    let names: Vec<&str> = names.map(|(name, _)| name.as_str()).collect();
    let names = http::excerpt(&names.join(", "));
    Reading::NoData(format!(
        "no values found: the query gives {names} in place of a calculated result"
    ))
}

#[cfg(test)]
mod tests;
