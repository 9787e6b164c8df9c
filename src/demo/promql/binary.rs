//! Operators between two values.

use super::{Failure, NAME, Point, Value, store::Labels};
use promql_parser::parser::{
    BinModifier, BinaryExpr, LabelModifier, VectorMatchCardinality,
    token::{
        T_ADD, T_DIV, T_EQLC, T_GTE, T_GTR, T_LAND, T_LOR, T_LSS, T_LTE, T_LUNLESS, T_MOD, T_MUL, T_NEQ, T_POW, T_SUB,
        TokenId, TokenType,
    },
};

/// What an operator makes of two numbers.
#[derive(Clone, Copy)]
enum Outcome {
    Number(f64),
    /// A comparison.
    Holds(bool),
}

/// The value of an expression with an operator, given those of its sides.
pub(super) fn apply(expression: &BinaryExpr, left: Value, right: Value) -> Result<Value, Failure> {
    let (operator, modifier) = (expression.op, expression.modifier.as_ref());
    let grouped = |modifier: &BinModifier| {
        !matches!(
            modifier.card,
            VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany
        )
    };
    if modifier.is_some_and(grouped) {
        return Err(Failure::unsupported("group_left and group_right"));
    }
    let as_number = modifier.is_some_and(|modifier| modifier.return_bool);
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => Ok(Value::Scalar(match calculate(operator, left, right)? {
            Outcome::Number(number) => number,
            Outcome::Holds(holds) => f64::from(u8::from(holds)),
        })),
        (Value::Vector(left), Value::Scalar(right)) => each(left, |point| {
            let outcome = calculate(operator, point.value, right)?;
            Ok(kept(outcome, point, as_number))
        }),
        (Value::Scalar(left), Value::Vector(right)) => each(right, |point| {
            let outcome = calculate(operator, left, point.value)?;
            Ok(kept(outcome, point, as_number))
        }),
        (Value::Vector(left), Value::Vector(right)) => {
            let matching = modifier.and_then(|modifier| modifier.matching.as_ref());
            match operator.id() {
                T_LOR | T_LAND | T_LUNLESS => Ok(Value::Vector(combine(operator.id(), left, right, matching))),
                _ => pairs(operator, left, &right, matching, as_number),
            }
        }
    }
}

fn each(points: Vec<Point>, change: impl Fn(Point) -> Result<Option<Point>, Failure>) -> Result<Value, Failure> {
    let changed: Result<Vec<Option<Point>>, Failure> = points.into_iter().map(change).collect();
    Ok(Value::Vector(changed?.into_iter().flatten().collect()))
}

/// A comparison keeps the points for which it holds as they are, unless numbers are asked for.
fn kept(outcome: Outcome, mut point: Point, as_number: bool) -> Option<Point> {
    point.value = match outcome {
        Outcome::Holds(holds) if !as_number => return holds.then_some(point),
        Outcome::Holds(holds) => f64::from(u8::from(holds)),
        Outcome::Number(number) => number,
    };
    point.labels.remove(NAME);
    Some(point)
}

/// `or`, `and` and `unless`.
fn combine(operator: TokenId, left: Vec<Point>, right: Vec<Point>, matching: Option<&LabelModifier>) -> Vec<Point> {
    let signatures =
        |points: &[Point]| -> Vec<Labels> { points.iter().map(|point| signature(point, matching)).collect() };
    let (of_left, of_right) = (signatures(&left), signatures(&right));
    let in_right = |point: &Point| of_right.contains(&signature(point, matching));
    match operator {
        T_LAND => left.into_iter().filter(in_right).collect(),
        T_LUNLESS => left.into_iter().filter(|point| !in_right(point)).collect(),
        _ => {
            let more = right
                .into_iter()
                .filter(|point| !of_left.contains(&signature(point, matching)));
            left.into_iter().chain(more).collect()
        }
    }
}

/// Each point on the left with the one on the right that has the same labels.
fn pairs(
    operator: TokenType,
    left: Vec<Point>,
    right: &[Point],
    matching: Option<&LabelModifier>,
    as_number: bool,
) -> Result<Value, Failure> {
    each(left, |mut point| {
        let wanted = signature(&point, matching);
        let mut partners = right.iter().filter(|other| signature(other, matching) == wanted);
        let Some(partner) = partners.next() else {
            return Ok(None);
        };
        if partners.next().is_some() {
            return Err(Failure::Execution(
                "many points match one: group_left would be needed".to_owned(),
            ));
        }
        let outcome = calculate(operator, point.value, partner.value)?;
        if as_number || matches!(outcome, Outcome::Number(_)) {
            point.labels = wanted;
        }
        Ok(kept(outcome, point, as_number))
    })
}

/// The labels that have to be the same on both sides.
fn signature(point: &Point, matching: Option<&LabelModifier>) -> Labels {
    let mut labels = point.labels.clone();
    labels.remove(NAME);
    match matching {
        Some(LabelModifier::Include(names)) => labels.retain(|name, _| names.labels.contains(name)),
        Some(LabelModifier::Exclude(names)) => labels.retain(|name, _| !names.labels.contains(name)),
        None => {}
    }
    labels
}

#[expect(clippy::float_cmp, reason = "== of PromQL is exact")]
fn calculate(operator: TokenType, left: f64, right: f64) -> Result<Outcome, Failure> {
    Ok(match operator.id() {
        T_ADD => Outcome::Number(left + right),
        T_SUB => Outcome::Number(left - right),
        T_MUL => Outcome::Number(left * right),
        T_DIV => Outcome::Number(left / right),
        T_MOD => Outcome::Number(left % right),
        T_POW => Outcome::Number(left.powf(right)),
        T_EQLC => Outcome::Holds(left == right),
        T_NEQ => Outcome::Holds(left != right),
        T_GTR => Outcome::Holds(left > right),
        T_LSS => Outcome::Holds(left < right),
        T_GTE => Outcome::Holds(left >= right),
        T_LTE => Outcome::Holds(left <= right),
        _ => return Err(Failure::unsupported(&format!("the operator {operator}"))),
    })
}
