//! A small PromQL: what the controller's builtin checks ask, over counters that are scraped in this process.
//!
//! What it is: instant queries with selectors, `rate`, `increase`, `sum`, `avg`, `min`, `max`, `count`, `histogram_quantile`, `vector`, and the operators,
//! with the numbers that Prometheus gives. What it is not: offsets, subqueries, `@`, grouped matching, and all other
//! functions; they are refused by name. Reading the text is the crate promql-parser's.

mod binary;
mod quantile;
mod range;
pub(super) mod store;
#[cfg(test)]
mod tests;

use promql_parser::{
    label::{METRIC_NAME, Matchers},
    parser::{
        self, AggregateExpr, Call, Expr, LabelModifier, MatrixSelector, VectorSelector,
        token::{T_AVG, T_COUNT, T_MAX, T_MIN, T_SUM},
    },
};
use std::{collections::BTreeMap, time::Duration};
use store::{Labels, Sample, Store};

/// Label with the name of a series.
const NAME: &str = METRIC_NAME;
/// A series without a sample for this long has no present value.
const LOOKBACK: Duration = Duration::from_mins(5);
/// Longest query: ten times the longest builtin one.
const QUERY_BYTES_MAX: usize = 4_096;

/// One element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    /// What it is the value of.
    pub(super) labels: Labels,
    /// The value.
    pub(super) value: f64,
}

/// What a query gives.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A number.
    Scalar(f64),
    /// Any number of elements.
    Vector(Vec<Point>),
}

/// Why a query gives nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// It is no PromQL.
    #[error("{0}")]
    Syntax(String),
    /// It is too much for this evaluator, or contradicts itself.
    #[error("{0}")]
    Execution(String),
}

/// One evaluation.
struct Evaluation<'a> {
    store: &'a Store,
    /// Milliseconds.
    now: i64,
}

/// The value of a query at a time, in milliseconds.
pub(super) fn evaluate(query: &str, store: &Store, now: i64) -> Result<Value, Failure> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(Failure::Execution(format!(
            "a query has at most {QUERY_BYTES_MAX} bytes here"
        )));
    }
    let expression = parser::parse(query).map_err(Failure::Syntax)?;
    Evaluation { store, now }.value(&expression)
}

// === impl Failure ===

impl Failure {
    fn unsupported(what: &str) -> Self {
        Self::Execution(format!("the demo's metrics server does not know {what}"))
    }
}

// === impl Evaluation ===

impl Evaluation<'_> {
    fn value(&self, expression: &Expr) -> Result<Value, Failure> {
        match expression {
            Expr::NumberLiteral(number) => Ok(Value::Scalar(number.val)),
            Expr::Paren(inner) => self.value(&inner.expr),
            Expr::Unary(inner) => Ok(negative(self.value(&inner.expr)?)),
            Expr::VectorSelector(selector) => self.present(selector).map(Value::Vector),
            Expr::Call(call) => self.call(call),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate).map(Value::Vector),
            Expr::Binary(binary) => binary::apply(binary, self.value(&binary.lhs)?, self.value(&binary.rhs)?),
            Expr::MatrixSelector(_) => Err(Failure::Execution("a range needs a function, such as rate".to_owned())),
            Expr::Subquery(_) => Err(Failure::unsupported("subqueries")),
            Expr::StringLiteral(_) => Err(Failure::unsupported("strings as values")),
            Expr::Extension(_) => Err(Failure::unsupported("extensions")),
        }
    }

    /// The newest sample of each series.
    fn present(&self, selector: &VectorSelector) -> Result<Vec<Point>, Failure> {
        let lookback = i64::try_from(LOOKBACK.as_millis()).unwrap_or(i64::MAX);
        let found = self.select(selector, lookback)?;
        let newest = found.into_iter().filter_map(|(labels, samples)| {
            let value = samples.last()?.value;
            let labels = labels.clone();
            Some(Point { labels, value })
        });
        Ok(newest.collect())
    }

    fn select(&self, selector: &VectorSelector, reach: i64) -> Result<Vec<(&Labels, Vec<Sample>)>, Failure> {
        let Matchers { or_matchers, .. } = &selector.matchers;
        if selector.offset.is_some() || selector.at.is_some() || !or_matchers.is_empty() {
            return Err(Failure::unsupported("offset, @ and alternatives in selectors"));
        }
        let window = (self.now.saturating_sub(reach), self.now);
        Ok(self.store.select(selector.name.as_deref(), &selector.matchers, window))
    }

    fn call(&self, call: &Call) -> Result<Value, Failure> {
        let arguments: Vec<&Expr> = call.args.args.iter().map(AsRef::as_ref).collect();
        match (call.func.name, arguments.as_slice()) {
            ("rate", [Expr::MatrixSelector(selector)]) => self.over(selector, range::rate),
            ("increase", [Expr::MatrixSelector(selector)]) => self.over(selector, range::increase),
            ("vector", [number]) => {
                let labels = Labels::new();
                let value = self.scalar(number)?;
                Ok(Value::Vector(vec![Point { labels, value }]))
            }
            ("histogram_quantile", [number, buckets]) => {
                let number = self.scalar(number)?;
                Ok(Value::Vector(quantile::of(number, self.vector(buckets)?)))
            }
            (name, _) => Err(Failure::unsupported(&format!(
                "the function {name} with these arguments"
            ))),
        }
    }

    fn over(&self, selector: &MatrixSelector, of: fn(&[Sample], i64, i64) -> Option<f64>) -> Result<Value, Failure> {
        let reach = i64::try_from(selector.range.as_millis()).unwrap_or(i64::MAX);
        let start = self.now.saturating_sub(reach);
        let found = self.select(&selector.vs, reach)?;
        let points = found.into_iter().filter_map(|(labels, samples)| {
            let value = of(&samples, start, self.now)?;
            let mut labels = labels.clone();
            labels.remove(NAME);
            Some(Point { labels, value })
        });
        Ok(Value::Vector(points.collect()))
    }

    fn aggregate(&self, aggregate: &AggregateExpr) -> Result<Vec<Point>, Failure> {
        let join: fn(&[f64]) -> f64 = match aggregate.op.id() {
            T_SUM => |values| values.iter().sum(),
            T_AVG => |values| values.iter().sum::<f64>() / values.len() as f64,
            T_MIN => |values| values.iter().copied().fold(f64::NAN, f64::min),
            T_MAX => |values| values.iter().copied().fold(f64::NAN, f64::max),
            T_COUNT => |values| values.len() as f64,
            _ => return Err(Failure::unsupported(&format!("the aggregation {}", aggregate.op))),
        };
        let mut groups: BTreeMap<Labels, Vec<f64>> = BTreeMap::new();
        for point in self.vector(&aggregate.expr)? {
            let group = group(point.labels, aggregate.modifier.as_ref());
            groups.entry(group).or_default().push(point.value);
        }
        let points = groups.into_iter().map(|(labels, values)| Point {
            labels,
            value: join(&values),
        });
        Ok(points.collect())
    }

    fn scalar(&self, expression: &Expr) -> Result<f64, Failure> {
        match self.value(expression)? {
            Value::Scalar(number) => Ok(number),
            Value::Vector(_) => Err(Failure::Execution("a number is needed, not a vector".to_owned())),
        }
    }

    fn vector(&self, expression: &Expr) -> Result<Vec<Point>, Failure> {
        match self.value(expression)? {
            Value::Vector(points) => Ok(points),
            Value::Scalar(_) => Err(Failure::Execution("a vector is needed, not a number".to_owned())),
        }
    }
}

fn negative(value: Value) -> Value {
    let negated = |mut point: Point| {
        point.value = -point.value;
        point.labels.remove(NAME);
        point
    };
    match value {
        Value::Scalar(number) => Value::Scalar(-number),
        Value::Vector(points) => Value::Vector(points.into_iter().map(negated).collect()),
    }
}

fn group(mut labels: Labels, modifier: Option<&LabelModifier>) -> Labels {
    labels.remove(NAME);
    match modifier {
        Some(LabelModifier::Include(names)) => labels.retain(|name, _| names.labels.contains(name)),
        Some(LabelModifier::Exclude(names)) => labels.retain(|name, _| !names.labels.contains(name)),
        None => labels.clear(),
    }
    labels
}
