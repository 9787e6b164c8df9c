//! The examples of the user documents: fenced blocks of Markdown and highlighted blocks of HTML, many without their indentation.

use serde_json::Value;
use std::{fs, path::Path};

use super::{Example, files, indentation, whole};

/// Blocks that no YAML reader can read, by a text in them: quotes within quotes.
const NOT_YAML: [&str; 1] = [r#"--overrides='{ "spec""#];
/// The lists of all fields, with comments in place of values: no objects, here as with the API server.
const SKELETONS: [&str; 2] = ["- # metric check", "type: # can be prometheus, datadog, etc"];
/// A line of its own between all lines of some documents.
const RULE: &str = "|";

/// All examples of our kinds in a folder of documents.
pub(crate) fn documents(seeds: &Path) -> Vec<Example> {
    let mut found = Vec::new();
    for path in files(seeds, ".txt") {
        let text = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let blocks = fenced(&text).into_iter().chain(highlighted(&text));
        for (number, block) in blocks.enumerate() {
            let from = format!("{name}, block {number}");
            let objects = read(&block, &from).into_iter().filter_map(whole);
            found.extend(objects.map(|object| Example {
                from: from.clone(),
                object,
            }));
        }
    }
    found
}

fn read(block: &str, from: &str) -> Vec<Value> {
    let mut not_objects = NOT_YAML.iter().chain(&SKELETONS);
    if not_objects.any(|known| block.contains(known)) {
        return Vec::new();
    }
    let documents = block
        .split("\n---\n")
        .map(|document| document.trim_start_matches("---\n"));
    let yaml = documents.filter_map(|document| {
        if is_indented(document) {
            return Some(document.to_owned());
        }
        indentation::restored(document)
    });
    let parse = |yaml: String| -> Value {
        serde_saphyr::from_str(&yaml).unwrap_or_else(|error| panic!("{from}: {error}\n{yaml}"))
    };
    yaml.map(parse).collect()
}

/// Where the indentation went, one blank at most was left of it.
fn is_indented(document: &str) -> bool {
    let deep = document.lines().any(|line| line.starts_with("  "));
    deep || !document.contains('\n')
}

/// Blocks of Markdown. Three points stand for something left out.
fn fenced(text: &str) -> Vec<String> {
    let blocks = text.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    let kept = |block: &str| {
        let lines = block.lines().filter(|line| ![RULE, "..."].contains(&line.trim()));
        lines.collect::<Vec<_>>().join("\n")
    };
    blocks.map(kept).collect()
}

/// Blocks of HTML, itself escaped: each line is made of many elements.
fn highlighted(text: &str) -> Vec<String> {
    let blocks = text.split("&lt;code class=\"language-yaml\"").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split_once('>')?.1.split("&lt;/code>").next());
    blocks
        .map(|block| unescaped(&unescaped(&without_elements(block))))
        .collect()
}

fn without_elements(block: &str) -> String {
    let mut parts = block.split("&lt;");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once('>').map_or("", |(_, rest)| rest));
    }
    text
}

fn unescaped(text: &str) -> String {
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    pairs
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
