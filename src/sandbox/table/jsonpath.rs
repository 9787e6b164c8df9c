//! As much of JSON paths as columns of CRDs use: fields, indices, `[*]`, and filters like `[?(@.type=="Ready")]`.

use serde_json::Value;

/// One step of a path.
#[derive(Debug, PartialEq)]
enum Step<'a> {
    Field(&'a str),
    Index(usize),
    All,
    /// Items whose field at this path has this text.
    Where(&'a str, &'a str),
}

/// All values that the path leads to; none where it cannot be read.
pub(super) fn find<'a>(object: &'a Value, path: &str) -> Vec<&'a Value> {
    let Some(steps) = steps(path) else {
        return Vec::new();
    };
    steps.iter().fold(vec![object], |at, step| {
        at.into_iter().flat_map(|value| take(value, step)).collect()
    })
}

fn take<'a>(value: &'a Value, step: &Step<'_>) -> Vec<&'a Value> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::Index(at) => items.get(*at).into_iter().collect(),
        Step::All => items
            .iter()
            .chain(value.as_object().into_iter().flat_map(|fields| fields.values()))
            .collect(),
        Step::Where(path, wanted) => {
            let fits = |item: &&Value| {
                find(item, path).iter().any(|found| match found {
                    Value::String(text) => text == wanted,
                    other => serde_json::from_str(wanted).is_ok_and(|wanted: Value| wanted == **other),
                })
            };
            items.iter().filter(fits).collect()
        }
    }
}

fn steps(path: &str) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    let mut rest = path.trim_start_matches('$');
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = if inner.starts_with('?') {
                inner.find(")]")? + 1
            } else {
                inner.find(']')?
            };
            steps.push(bracket(inner.get(..end)?)?);
            rest = inner.get(end + 1..)?;
            continue;
        }
        let name = rest.strip_prefix('.').unwrap_or(rest);
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (field, after) = name.split_at(end);
        match field {
            "" => {}
            "*" => steps.push(Step::All),
            _ => steps.push(Step::Field(field)),
        }
        rest = after;
        if field.is_empty() && !after.starts_with('[') {
            return None;
        }
    }
    Some(steps)
}

fn bracket(inner: &str) -> Option<Step<'_>> {
    if inner == "*" {
        return Some(Step::All);
    }
    if let Some(filter) = inner.strip_prefix("?(@").and_then(|filter| filter.strip_suffix(')')) {
        let (path, wanted) = filter.split_once("==")?;
        return Some(Step::Where(path.trim(), wanted.trim().trim_matches(['"', '\''])));
    }
    let quoted = inner.strip_prefix(['\'', '"']);
    match quoted {
        Some(name) => Some(Step::Field(name.trim_end_matches(['\'', '"']))),
        None => inner.parse().ok().map(Step::Index),
    }
}
