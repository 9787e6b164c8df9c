//! Commands and answers in a document: blocks of the kind `console`, with `$` before a command, `>` before its further lines, and the
//! answer below.

use std::{path::Path, process::Command};

/// A command and its answer.
#[derive(Debug)]
pub(crate) struct Example {
    pub(crate) line: usize,
    pub(crate) command: String,
    pub(crate) answer: String,
}

/// The examples of blocks that begin with this fence, and the shell code that they need.
pub(crate) fn read(file: &str, fence: &str) -> (String, Vec<Example>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut examples: Vec<Example> = Vec::new();
    let mut prelude = String::new();
    let mut block = "";
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            block = if block.is_empty() { line } else { "" };
            continue;
        }
        if block == "```sh" && line.starts_with("curl()") {
            prelude = format!("{line}\n");
        }
        if block != fence {
            continue;
        }
        if let Some(command) = line.strip_prefix("$ ") {
            examples.push(Example {
                line: number + 1,
                command: command.to_owned(),
                answer: String::new(),
            });
        } else if let Some(more) = line.strip_prefix("> ") {
            let command = &mut examples.last_mut().unwrap().command;
            *command = format!("{command}\n{more}");
        } else {
            let answer = &mut examples.last_mut().unwrap().answer;
            answer.push_str(line);
            answer.push('\n');
        }
    }
    assert!(
        !examples.is_empty() && !prelude.is_empty(),
        "{file} has no examples in {fence}"
    );
    (prelude, examples)
}

/// Run all of them in order, with parts of the text replaced by what is there; each must answer as printed.
pub(crate) fn run(file: &str, fence: &str, replace: &[(&str, String)]) {
    let (prelude, examples) = read(file, fence);
    for example in examples {
        let mut command = prelude.clone() + &example.command;
        for (from, to) in replace {
            command = command.replace(from, to);
        }
        let mut printed = example.answer.clone();
        for (from, to) in replace {
            printed = printed.replace(from, to);
        }
        let output = Command::new("bash")
            .args(["-c", &command])
            .env("NO_PROXY", "*")
            .output()
            .unwrap();
        let answer = String::from_utf8_lossy(&output.stdout);
        let at = format!("docs/{file}:{}", example.line);
        assert!(
            fits(&printed, &answer),
            "{at}: {}\nprinted:\n{}\nanswered:\n{answer}{}",
            example.command,
            printed,
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// `...` stands for anything.
fn fits(printed: &str, answer: &str) -> bool {
    let parts: Vec<&str> = printed.split("...").collect();
    let [first, middle @ .., last] = parts.as_slice() else {
        return printed == answer;
    };
    let Some(mut rest) = answer.strip_prefix(first) else {
        return false;
    };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else {
            return false;
        };
        rest = after;
    }
    rest.ends_with(last)
}
