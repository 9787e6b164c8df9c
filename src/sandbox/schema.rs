//! What the API server does with the schema of a kind: unknown fields are dropped, defaults are filled in, the rest is checked.
//! Patterns, formats and CEL rules are not checked.

#[cfg(test)]
mod tests;

use super::{failure::Cause, natives::resolve};
use serde_json::Value;

/// Whose schema it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A CRD: what is not declared is dropped.
    Custom,
    /// A builtin kind: an object without declared fields is free.
    Native,
}

/// Drop the fields that the schema does not know and add their paths to `unknown`. The envelope of the object always stays.
pub(super) fn prune(schema: &Value, origin: Origin, object: &mut Value, unknown: &mut Vec<String>) {
    let schema = resolve(schema);
    if schema["x-kubernetes-preserve-unknown-fields"] == true && schema["properties"].is_null() {
        return;
    }
    let Some(fields) = object.as_object_mut() else { return };
    fields.retain(|name, value| {
        if origin == Origin::Custom && is_envelope(name) {
            return true;
        }
        let known = prune_field(schema, origin, name, value, name, unknown);
        if !known {
            unknown.push(name.clone());
        }
        known
    });
}

fn is_envelope(name: &str) -> bool {
    ["apiVersion", "kind", "metadata"].contains(&name)
}

/// Whether the schema knows the field; what is inside is pruned.
fn prune_field(
    schema: &Value,
    origin: Origin,
    name: &str,
    value: &mut Value,
    path: &str,
    unknown: &mut Vec<String>,
) -> bool {
    if let Some(inner) = schema["properties"].get(name) {
        prune_value(inner, origin, value, path, unknown);
        return true;
    }
    match &schema["additionalProperties"] {
        inner @ Value::Object(_) => {
            prune_value(inner, origin, value, path, unknown);
            true
        }
        Value::Bool(free) => *free,
        _ => {
            let free = origin == Origin::Native && schema["properties"].is_null();
            free || schema["x-kubernetes-preserve-unknown-fields"] == true
        }
    }
}

fn prune_value(schema: &Value, origin: Origin, value: &mut Value, path: &str, unknown: &mut Vec<String>) {
    let schema = resolve(schema);
    match value {
        Value::Object(fields) => {
            let embedded = schema["x-kubernetes-embedded-resource"] == true;
            fields.retain(|name, inner| {
                let path = format!("{path}.{name}");
                let known = (embedded && is_envelope(name)) || prune_field(schema, origin, name, inner, &path, unknown);
                if !known {
                    unknown.push(path);
                }
                known
            });
        }
        Value::Array(items) => {
            for (at, item) in items.iter_mut().enumerate() {
                prune_value(&schema["items"], origin, item, &format!("{path}[{at}]"), unknown);
            }
        }
        _ => {}
    }
}

/// Fill in the defaults of absent fields.
pub(super) fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = inner.get("default")
                    && fields
                        .get(name)
                        .is_none_or(|found| found.is_null() && inner["nullable"] != true)
                {
                    fields.insert(name.clone(), default.clone());
                }
                if let Some(found) = fields.get_mut(name) {
                    fill(inner, found);
                }
            }
            let free = &schema["additionalProperties"];
            if free.is_object() {
                fields.values_mut().for_each(|inner| fill(free, inner));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(&schema["items"], item)),
        _ => {}
    }
}

/// Check a value; `path` is empty at the root.
pub(super) fn check(schema: &Value, value: &Value, path: &str, causes: &mut Vec<Cause>) {
    let schema = resolve(schema);
    if value.is_null() {
        return;
    }
    if let Some(wanted) = mismatch(schema, value) {
        let found = type_of(value);
        let why = format!("\"{found}\": {path} in body must be of type {wanted}: \"{found}\"");
        causes.push(Cause::invalid(path, why));
        return;
    }
    if let Some(choices) = schema["enum"].as_array().filter(|choices| !choices.contains(value)) {
        let choices: Vec<String> = choices.iter().map(Value::to_string).collect();
        let why = format!("Unsupported value: {value}: supported values: {}", choices.join(", "));
        causes.push(Cause::new(path, why));
    }
    causes.extend(bounds(schema, value, path).map(|why| Cause::invalid(path, why)));
    match value {
        Value::Object(fields) => {
            for name in schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                if fields.get(name).is_none_or(Value::is_null) {
                    causes.push(Cause::required(join(path, name)));
                }
            }
            for (name, inner) in fields {
                let declared = schema["properties"].get(name);
                let declared = declared.or_else(|| schema.get("additionalProperties").filter(|free| free.is_object()));
                if let Some(declared) = declared {
                    check(declared, inner, &join(path, name), causes);
                }
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                check(&schema["items"], item, &format!("{path}[{at}]"), causes);
            }
        }
        _ => {}
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The wanted type where the value has another one.
fn mismatch<'a>(schema: &'a Value, value: &Value) -> Option<&'a str> {
    let found = type_of(value);
    if schema["x-kubernetes-int-or-string"] == true {
        return (!["integer", "string"].contains(&found)).then_some("integer,string");
    }
    let wanted = schema["type"].as_str()?;
    let fits = wanted == found || (wanted == "number" && found == "integer");
    (!fits).then_some(wanted)
}

/// The first bound that the value breaks.
fn bounds(schema: &Value, value: &Value, path: &str) -> Option<String> {
    let limit = |name: &str| schema[name].as_f64();
    let number = value.as_f64();
    if let Some((least, _)) = limit("minimum").zip(number).filter(|(least, found)| found < least) {
        return Some(format!(
            "{value}: {path} in body should be greater than or equal to {least}"
        ));
    }
    if let Some((most, _)) = limit("maximum").zip(number).filter(|(most, found)| found > most) {
        return Some(format!(
            "{value}: {path} in body should be less than or equal to {most}"
        ));
    }
    let length = value.as_str().map(|text| text.chars().count() as f64);
    if let Some((least, _)) = limit("minLength").zip(length).filter(|(least, found)| found < least) {
        return Some(format!("{value}: {path} in body should be at least {least} chars long"));
    }
    if let Some((most, _)) = limit("maxLength").zip(length).filter(|(most, found)| found > most) {
        return Some(format!("{value}: {path} in body should be at most {most} chars long"));
    }
    let items = value.as_array().map(|items| items.len() as f64);
    if let Some((least, found)) = limit("minItems").zip(items).filter(|(least, found)| found < least) {
        return Some(format!("{found}: {path} in body should have at least {least} items"));
    }
    if let Some((most, found)) = limit("maxItems").zip(items).filter(|(most, found)| found > most) {
        return Some(format!("{found}: {path} in body should have at most {most} items"));
    }
    None
}
