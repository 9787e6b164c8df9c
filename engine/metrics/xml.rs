//! As much XML as AWS answers with: elements and text. Attributes, comments and declarations are passed over; no entities but the
//! five of XML itself and character numbers, so nothing can expand.

/// Deepest nesting that is read: answers of AWS have eight levels.
const DEPTH_MAX: usize = 32;

/// An element. Text between its children is dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

/// What stands between `<` and `>`.
enum Piece<'t> {
    Open(&'t str),
    Close(&'t str),
    Empty(&'t str),
    /// A comment, a declaration, an instruction.
    Other,
}

// === impl Element ===

impl Element {
    /// The root element of a document; `None` for what is no XML.
    pub(super) fn parse(document: &str) -> Option<Self> {
        let mut open: Vec<Self> = Vec::new();
        let mut rest = document;
        loop {
            let (text, tag) = rest.split_at(rest.find('<')?);
            if let Some(inner) = open.last_mut() {
                inner.text.push_str(&unescaped(text)?);
            }
            let (piece, after) = cut(tag)?;
            rest = after;
            let settled = match piece {
                Piece::Other => continue,
                Piece::Close(name) => open.pop().filter(|element| element.name == name)?,
                Piece::Empty(name) => Self::named(name),
                Piece::Open(name) => {
                    if open.len() >= DEPTH_MAX {
                        return None;
                    }
                    open.push(Self::named(name));
                    continue;
                }
            };
            match open.last_mut() {
                Some(parent) => parent.children.push(settled),
                None => return Some(settled),
            }
        }
    }

    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The first element on this way down.
    pub(super) fn at(&self, way: &[&str]) -> Option<&Self> {
        way.iter().try_fold(self, |element, name| element.child(name))
    }

    /// Its text, without blanks around it.
    pub(super) fn trimmed(&self) -> &str {
        self.text.trim()
    }
}

/// The tag at the start of a text, and what follows it.
fn cut(text: &str) -> Option<(Piece<'_>, &str)> {
    for (start, end) in [("<!--", "-->"), ("<?", "?>"), ("<!", ">")] {
        if text.starts_with(start) {
            let after = text.find(end)? + end.len();
            return Some((Piece::Other, text.get(after..)?));
        }
    }
    let end = text.find('>')?;
    let (inside, after) = (text.get(1..end)?, text.get(end + 1..)?);
    if let Some(name) = inside.strip_prefix('/') {
        return Some((Piece::Close(name.trim()), after));
    }
    let (inside, is_empty) = match inside.strip_suffix('/') {
        Some(inside) => (inside, true),
        None => (inside, false),
    };
    let name = inside.split_whitespace().next()?;
    let piece = if is_empty {
        Piece::Empty(name)
    } else {
        Piece::Open(name)
    };
    Some((piece, after))
}

fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, entity) = rest.split_at(at);
        plain.push_str(before);
        let end = entity.find(';')?;
        plain.push(match entity.get(1..end)? {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            number => character(number)?,
        });
        rest = entity.get(end + 1..)?;
    }
    plain.push_str(rest);
    Some(plain)
}

fn character(number: &str) -> Option<char> {
    let number = number.strip_prefix('#')?;
    let code = match number.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code)
}

#[cfg(test)]
mod tests;
