//! Numbers as the schema has them: `number`, so that `2.5` passes admission and must not blind the controller (W-41, DP-2).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A JSON number of the contract. The peer's schema says `number` where only whole numbers make sense; a fraction is
/// read without complaint and refused later, for this one object, by whoever needs a whole number.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Default)]
pub struct Number(pub f64);

impl Number {
    /// The number as an integer, or `None` when it has a fraction or is out of `i64`'s safe range (±2^53).
    pub fn whole(self) -> Option<i64> {
        let safe = self.0.fract() == 0.0 && self.0.abs() <= 9_007_199_254_740_992.0;
        safe.then_some(self.0 as i64)
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(value as f64)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(whole) => serializer.serialize_i64(whole),
            None => serializer.serialize_f64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for Number {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Number".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number" })
    }
}

/// A counter of the status: any number, its fraction dropped, because the schema admits fractions and a stored one
/// must not hide the object (W-41).
pub(crate) fn whole_part<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    f64::deserialize(deserializer).map(|number| number as i64)
}

#[cfg(test)]
mod tests;
