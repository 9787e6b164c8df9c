//! Label and field selectors of list and watch.

use super::{failure::Failure, kinds::Resource};
use serde_json::Value;

/// Which objects of a kind a caller wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    labels: Vec<Rule>,
    fields: Vec<(Vec<String>, bool, String)>,
}

#[derive(Clone, Debug)]
enum Rule {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

// === impl Selector ===

impl Selector {
    /// Read the two query parameters; empty texts select everything.
    pub(super) fn parse(resource: &Resource, labels: &str, fields: &str) -> Result<Self, Failure> {
        let labels = requirements(labels)
            .into_iter()
            .map(Rule::parse)
            .collect::<Result<_, _>>()?;
        let fields = fields
            .split(',')
            .filter(|term| !term.is_empty())
            .map(|term| field(resource, term));
        Ok(Self {
            labels,
            fields: fields.collect::<Result<_, _>>()?,
        })
    }

    /// Whether everything is selected.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Whether the object is selected.
    pub(super) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|rule| rule.holds(labels))
            && self.fields.iter().all(|(path, equal, wanted)| {
                let found = path.iter().fold(object, |at, key| &at[key.as_str()]);
                (found.as_str().unwrap_or_default() == wanted) == *equal
            })
    }
}

/// Custom kinds offer two fields only; for native ones every text field is taken, as Events have many.
fn field(resource: &Resource, term: &str) -> Result<(Vec<String>, bool, String), Failure> {
    let (path, equal, value) = if let Some((path, value)) = term.split_once("!=") {
        (path, false, value)
    } else if let Some((path, value)) = term.split_once('=') {
        (path, true, value.trim_start_matches('='))
    } else {
        return Err(Failure::BadRequest(format!(
            "invalid selector: '{term}'; can't understand '{term}'"
        )));
    };
    let path = path.trim();
    if resource.custom && !["metadata.name", "metadata.namespace"].contains(&path) {
        return Err(Failure::BadRequest(format!("field label not supported: {path}")));
    }
    Ok((
        path.split('.').map(str::to_owned).collect(),
        equal,
        value.trim().to_owned(),
    ))
}

/// Split at commas that are not inside parentheses.
fn requirements(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = text.split(|at: char| {
        match at {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

// === impl Rule ===

impl Rule {
    fn parse(text: &str) -> Result<Self, Failure> {
        if let Some((key, set)) = text.split_once('(') {
            let set = set
                .trim_end_matches(')')
                .split(',')
                .map(|value| value.trim().to_owned())
                .collect();
            let mut words = key.split_whitespace();
            return match (words.next(), words.next()) {
                (Some(key), Some("in")) => Ok(Self::In(key.to_owned(), set)),
                (Some(key), Some("notin")) => Ok(Self::NotIn(key.to_owned(), set)),
                _ => Err(Failure::BadRequest(format!("unable to parse requirement: {text}"))),
            };
        }
        if let Some((key, value)) = text.split_once("!=") {
            return Ok(Self::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()]));
        }
        if let Some((key, value)) = text.split_once('=') {
            let value = value.trim_start_matches('=').trim();
            return Ok(Self::In(key.trim().to_owned(), vec![value.to_owned()]));
        }
        Ok(match text.strip_prefix('!') {
            Some(key) => Self::Absent(key.trim().to_owned()),
            None => Self::Exists(text.to_owned()),
        })
    }

    fn holds(&self, labels: &Value) -> bool {
        let found = |key: &String| labels[key.as_str()].as_str();
        match self {
            Self::In(key, set) => found(key).is_some_and(|value| set.iter().any(|wanted| wanted == value)),
            Self::NotIn(key, set) => found(key).is_none_or(|value| set.iter().all(|wanted| wanted != value)),
            Self::Exists(key) => found(key).is_some(),
            Self::Absent(key) => found(key).is_none(),
        }
    }
}
