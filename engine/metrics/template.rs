//! Query templates: Go text/template with the canary's names as functions (analysis.md 2.8, 3.3).

use crds::{Canary, analysis::Metric};
use gotmpl::{MissingKey, Template, TemplateError, Value};
use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use super::DEFAULT_INTERVAL;

/// Longest template: 64 KiB is over a hundred times the longest query of the documents, and parses in a few milliseconds.
pub const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// Longest rendered query. Escaping can triple it, and a URL holds 65,534 bytes: 3 × 16 KiB = 49,152 leaves room for the address.
pub const QUERY_BYTES_MAX: usize = 16 * 1024;

/// Rounds of all `range` actions together: each can write at least one byte, so more would overflow the query anyway.
const RANGE_ROUNDS_MAX: u64 = QUERY_BYTES_MAX as u64;

/// Stands behind the last character of a template. The parser stops without complaint at an `end` too many and drops the rest, which
/// would send half a query; then this does not come out. A control character, as no query language has a use for it.
const LAST: char = '\u{3}';

/// What a template may use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Name of the canary.
    pub name: String,
    /// Namespace of the canary.
    pub namespace: String,
    /// Kind of the target workload; builtin queries depend on it, templates do not see it.
    pub kind: String,
    /// Name of the target workload.
    pub target: String,
    /// Name of the apex Service.
    pub service: String,
    /// Name of the Ingress, else the target's.
    pub ingress: String,
    /// Name of the route, else the target's; with Knative the newest revision (analysis.md 2.8).
    pub route: String,
    /// Window of the query.
    pub interval: String,
    /// `templateVariables` of the metric.
    pub variables: BTreeMap<String, String>,
}

/// Why a template gave no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The template is longer than [`TEMPLATE_BYTES_MAX`].
    #[error("the query template has {0} bytes, {TEMPLATE_BYTES_MAX} are allowed")]
    TooLong(usize),
    /// The query would be longer than [`QUERY_BYTES_MAX`], or the template loops for too long.
    #[error("the rendered query would have more than {QUERY_BYTES_MAX} bytes")]
    TooMuch,
    /// It is no template.
    #[error("cannot read the query template, line {line}, column {column}: {problem}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// It has an `end` or `else` without a beginning.
    #[error("the query template has an unexpected end or else")]
    Unbalanced,
    /// Something that it uses is missing or does not fit.
    #[error("cannot render the query template{}: {problem}", place(*.at))]
    Execution {
        /// Line and column, from 1, where they are known.
        at: Option<(usize, usize)>,
        /// What is wrong.
        problem: String,
    },
}

/// A buffer that refuses to grow beyond [`QUERY_BYTES_MAX`].
struct Bounded(String);

// === impl Model ===

impl Model {
    /// The names that the queries of `metric` may use.
    pub fn of(canary: &Canary, metric: &Metric) -> Self {
        let target = &canary.spec.target_ref.name;
        let spec = &canary.spec;
        let or_target = |name: Option<&String>| name.filter(|name| !name.is_empty()).unwrap_or(target).clone();
        let interval = metric.interval.as_deref().filter(|interval| !interval.is_empty());
        Self {
            name: canary.name().to_owned(),
            namespace: canary.namespace().to_owned(),
            kind: canary.spec.target_ref.kind.clone(),
            target: target.clone(),
            service: canary.spec.apex_name().to_owned(),
            ingress: or_target(spec.ingress_ref.as_ref().map(|ingress| &ingress.name)),
            route: or_target(spec.route_ref.as_ref().map(|route| &route.name)),
            interval: interval.unwrap_or(DEFAULT_INTERVAL).to_owned(),
            variables: metric.template_variables.clone(),
        }
    }

    fn texts(&self) -> [(&'static str, &str); 7] {
        [
            ("name", &self.name),
            ("namespace", &self.namespace),
            ("target", &self.target),
            ("service", &self.service),
            ("ingress", &self.ingress),
            ("route", &self.route),
            ("interval", &self.interval),
        ]
    }
}

/// Render a query. A missing variable, an unknown function and any use of `.` are errors; nothing is escaped.
pub fn render(template: &str, model: &Model) -> Result<String, RenderError> {
    if template.len() > TEMPLATE_BYTES_MAX {
        return Err(RenderError::TooLong(template.len()));
    }
    let parsed = with_functions(Template::new("query"), model)
        .parse(&format!("{template}{LAST}"))
        .map_err(|error| explain(error, template))?;
    let mut query = Bounded(String::new());
    // The data is an empty map and not nil: so a field of it is a missing key, not nothing.
    let data = Value::Map(Arc::new(BTreeMap::new()));
    parsed
        .execute_fmt(&mut query, &data)
        .map_err(|error| explain(error, template))?;
    let whole = query.0.strip_suffix(LAST).map(str::to_owned);
    whole.ok_or(RenderError::Unbalanced)
}

fn with_functions(template: Template, model: &Model) -> Template {
    let variables = model.variables.iter();
    let variables = variables.map(|(key, text)| (key.as_str().into(), Value::String(text.as_str().into())));
    let variables = Value::Map(Arc::new(variables.collect()));
    let template = model.texts().into_iter().fold(template, |template, (name, text)| {
        let value = Value::String(text.into());
        template.func(name, move |_| Ok(value.clone()))
    });
    template
        .missing_key(MissingKey::Error)
        .max_range_iters(RANGE_ROUNDS_MAX)
        .func("variables", move |_| Ok(variables.clone()))
        .func("index", index)
}

/// `index`, but a key that is not in a map of texts gives the empty text, as in Go.
fn index(arguments: &[Value]) -> Result<Value, TemplateError> {
    let (first, keys) = arguments.split_first().ok_or_else(|| TemplateError::ArgCount {
        name: "index".to_owned(),
        expected: 1,
        got: 0,
    })?;
    keys.iter().try_fold(first.clone(), |value, key| {
        Ok(match value.index(key)? {
            Value::Nil => Value::String("".into()),
            found => found,
        })
    })
}

fn explain(error: TemplateError, template: &str) -> RenderError {
    let at = match error {
        TemplateError::Parse { line, col, message, .. } | TemplateError::Lex { line, col, message, .. } => {
            return RenderError::Syntax {
                line,
                column: col,
                problem: message,
            };
        }
        TemplateError::Write | TemplateError::RangeIterLimit => return RenderError::TooMuch,
        TemplateError::MissingKey { ref key } => position(template, &format!(".{key}")),
        TemplateError::UndefinedFunction(ref name) | TemplateError::UndefinedTemplate(ref name) => {
            position(template, name)
        }
        _ => None,
    };
    let problem = match error {
        TemplateError::Exec(problem) => problem,
        other => other.to_string(),
    };
    RenderError::Execution { at, problem }
}

/// Line and column of the first use of `word` inside an action.
fn position(template: &str, word: &str) -> Option<(usize, usize)> {
    let start = template.find("{{")?;
    let offset = start + template.get(start..)?.find(word)?;
    let before = template.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..)?.chars().count() + 1;
    Some((before.matches('\n').count() + 1, column))
}

fn place(at: Option<(usize, usize)>) -> String {
    at.map(|(line, column)| format!(", line {line}, column {column}"))
        .unwrap_or_default()
}

// === impl Bounded ===

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.0.len() + text.len() > QUERY_BYTES_MAX + LAST.len_utf8() {
            return Err(std::fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
