//! A command line as words, with a shell's quotes, and whether it needs a shell at all (LT-1, LT-15).

/// Why a line has no words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadWords {
    /// A quote that is not closed.
    #[error("a quote is not closed")]
    OpenQuote,
    /// A backslash at the end.
    #[error("nothing follows the last backslash")]
    OpenEscape,
}

/// A line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The words, without their quotes.
    pub(crate) words: Vec<String>,
    /// It has something that only a shell does: a pipe, a variable, a pattern, a second command.
    pub(crate) needs_shell: bool,
}

/// Split as a POSIX shell does, without expanding anything.
pub(crate) fn split(line: &str) -> Result<Line, BadWords> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut needs_shell = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' => words.extend(word.take()),
            '\n' | '\r' => {
                words.extend(word.take());
                // A line end between two commands; at the end it says nothing.
                needs_shell |= !words.is_empty() && letters.clone().any(|next| !next.is_whitespace());
            }
            '\'' => {
                let target = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or(BadWords::OpenQuote)? {
                        '\'' => break,
                        inside => target.push(inside),
                    }
                }
            }
            '"' => needs_shell |= double_quoted(&mut letters, word.get_or_insert_default())?,
            '\\' => match letters.next().ok_or(BadWords::OpenEscape)? {
                '\n' => {}
                escaped => word.get_or_insert_default().push(escaped),
            },
            plain => {
                needs_shell |= is_special(plain, word.is_none(), words.is_empty());
                word.get_or_insert_default().push(plain);
            }
        }
    }
    words.extend(word);
    Ok(Line { words, needs_shell })
}

/// The rest of a double-quoted part; tells whether a shell would expand something in it.
fn double_quoted(
    letters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    target: &mut String,
) -> Result<bool, BadWords> {
    let mut expands = false;
    loop {
        match letters.next().ok_or(BadWords::OpenQuote)? {
            '"' => return Ok(expands),
            '\\' => match letters.next().ok_or(BadWords::OpenQuote)? {
                '\n' => {}
                escaped @ ('$' | '`' | '"' | '\\') => target.push(escaped),
                other => target.extend(['\\', other]),
            },
            plain => {
                expands |= matches!(plain, '$' | '`');
                target.push(plain);
            }
        }
    }
}

/// `&` and `?` of an unquoted URL are special, too, as they are for a shell.
fn is_special(letter: char, at_start: bool, is_first: bool) -> bool {
    match letter {
        '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | '{' | '}' => true,
        '~' | '#' => at_start,
        // `NAME=value command`
        '=' | '!' => is_first,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
