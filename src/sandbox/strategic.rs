//! Strategic merge patches: merge patches that know which items of a list are the same, and directives.

#[cfg(test)]
mod tests;

use super::{
    failure::Failure,
    lists::{Merging, Site, key_of},
    metadata,
};
use serde_json::{Map, Value};

/// Directive of a map or of an item: `replace`, `delete` or `merge`.
const PATCH: &str = "$patch";
/// Fields of the present object that survive.
const RETAIN: &str = "$retainKeys";
/// Prefix of a directive that removes values from a list of scalars.
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
/// Prefix of a directive that orders a list.
const ORDER: &str = "$setElementOrder/";

/// Merge a patch into an object.
pub(super) fn merge(target: &mut Value, patch: &Value, site: Site<'_>) -> Result<(), Failure> {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return Ok(());
    };
    match directive(patch)? {
        Some("replace") => {
            *target = bare(patch);
            return Ok(());
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        _ => {}
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    if let (Some(kept), Some(present)) = (fields.get(RETAIN).and_then(Value::as_array), target.as_object_mut()) {
        present.retain(|name, _| kept.iter().any(|kept| kept == name.as_str()));
    }
    let before = target.clone();
    for (name, value) in fields {
        if let Some(list) = name.strip_prefix(DELETE_FROM) {
            remove_values(&mut target[list], value);
        }
    }
    for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with('$')) {
        let inner = site.field(name);
        match value {
            Value::Null => metadata::remove(target, name),
            Value::Object(_) => merge(&mut target[name.as_str()], value, inner)?,
            Value::Array(items) => merge_list(&mut target[name.as_str()], items, inner)?,
            scalar => target[name.as_str()] = scalar.clone(),
        }
    }
    for (name, order) in fields {
        if let Some(list) = name.strip_prefix(ORDER) {
            let (order, merging) = (
                order.as_array().map_or(&[][..], Vec::as_slice),
                site.field(list).strategy(),
            );
            if let (Some(items), Some(before)) = (target[list].as_array_mut(), before.get(list)) {
                sort(items, order, before.as_array().map_or(&[][..], Vec::as_slice), &merging);
            }
        }
    }
    // Writing through an index leaves null where nothing was.
    metadata::drop_nulls(target);
    Ok(())
}

fn directive(patch: &Value) -> Result<Option<&str>, Failure> {
    match patch.get(PATCH).map(Value::as_str) {
        None => Ok(None),
        Some(Some(word @ ("replace" | "delete" | "merge"))) => Ok(Some(word)),
        Some(_) => Err(Failure::BadRequest(format!(
            "unknown patch type found: {}",
            patch[PATCH]
        ))),
    }
}

/// The value without directives and nulls.
fn bare(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields
                .iter()
                .filter(|(name, value)| !name.starts_with('$') && !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), bare(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(bare).collect()),
        scalar => scalar.clone(),
    }
}

fn merge_list(target: &mut Value, patch: &[Value], site: Site<'_>) -> Result<(), Failure> {
    let merging = site.strategy();
    let replaces = patch.iter().any(|item| item[PATCH] == "replace");
    let before = match target.take() {
        Value::Array(items) if merging != Merging::Atomic && !replaces => items,
        _ => Vec::new(),
    };
    let mut present = before.clone();
    for item in patch {
        match &merging {
            Merging::Atomic => present.push(bare(item)),
            Merging::Set if present.contains(item) => {}
            Merging::Set => present.push(item.clone()),
            Merging::Map(keys) => merge_item(&mut present, item, keys, site.item())?,
        }
    }
    if replaces {
        present.retain(|item| item.as_object().is_none_or(|fields| !fields.is_empty()));
    }
    sort(&mut present, patch, &before, &merging);
    *target = Value::Array(present);
    Ok(())
}

fn merge_item(present: &mut Vec<Value>, item: &Value, keys: &[String], site: Site<'_>) -> Result<(), Failure> {
    if item[PATCH] == "replace" {
        return Ok(());
    }
    let key = key_of(item, keys);
    if key.as_object().is_none_or(Map::is_empty) {
        let why = format!("map: {item} does not contain declared merge key: {}", keys.join(", "));
        return Err(Failure::BadRequest(why));
    }
    let at = present.iter().position(|known| key_of(known, keys) == key);
    if item[PATCH] == "delete" {
        if let Some(at) = at {
            present.remove(at);
        }
        return Ok(());
    }
    if let Some(known) = at.and_then(|at| present.get_mut(at)) {
        return merge(known, item, site);
    }
    present.push(bare(item));
    Ok(())
}

fn remove_values(target: &mut Value, values: &Value) {
    let values = values.as_array().map_or(&[][..], Vec::as_slice);
    if let Some(items) = target.as_array_mut() {
        items.retain(|item| !values.contains(item));
    }
}

/// Put a list into the wished order. Items that the wish does not name keep their place before those that came after them.
fn sort(items: &mut Vec<Value>, wished: &[Value], before: &[Value], merging: &Merging) {
    if *merging == Merging::Atomic {
        return;
    }
    let same = |one: &Value, other: &Value| match merging {
        Merging::Map(keys) => key_of(one, keys) == key_of(other, keys),
        _ => one == other,
    };
    let place = |list: &[Value], item: &Value| list.iter().position(|known| same(known, item));
    let (mut named, others): (Vec<Value>, Vec<Value>) = items.drain(..).partition(|item| place(wished, item).is_some());
    named.sort_by_key(|item| place(wished, item));
    let mut others = others.into_iter().peekable();
    for item in named {
        while let Some(other) = others.peek() {
            match (place(before, other), place(before, &item)) {
                (Some(one), Some(two)) if one < two => items.extend(others.next()),
                _ => break,
            }
        }
        items.push(item);
    }
    items.extend(others);
}
