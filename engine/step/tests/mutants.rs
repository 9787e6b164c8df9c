//! That `tests/mutants/list` is up to date, without compiling a mutant: each text occurs once in its file, and each property and each
//! weakness that is called done has a mutant or a reason not to have one. `tests/mutants/run` applies them.

use std::{collections::BTreeSet, fs, path::PathBuf};

struct Mutant {
    name: String,
    breaks: BTreeSet<String>,
    file: String,
    tests: String,
    out: String,
    into: String,
}

fn read(path: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn words(text: &str) -> BTreeSet<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The mutants of the list, and the ids that are excepted.
fn list() -> (Vec<Mutant>, BTreeSet<String>) {
    let text = read("tests/mutants/list");
    let mut mutants = Vec::new();
    let mut excepted = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("except ")) {
        let (ids, why) = line["except ".len()..]
            .split_once(": ")
            .expect("an exception has a reason");
        assert!(why.len() > 10, "{line}");
        excepted.extend(words(ids));
    }
    for block in text.split("\n== ").skip(1) {
        let (name, rest) = block.split_once('\n').expect("a mutant has lines");
        let lines: Vec<&str> = rest.lines().take_while(|line| !line.is_empty()).collect();
        let field = |key: &str| {
            let found = lines.iter().find_map(|line| line.strip_prefix(key));
            found.unwrap_or_else(|| panic!("{name} has no {key}")).to_owned()
        };
        let texts = |sign: &str| {
            let texts: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(sign)).collect();
            texts.join("\n")
        };
        mutants.push(Mutant {
            name: name.to_owned(),
            breaks: words(&field("breaks: ")),
            file: field("file: "),
            tests: field("test: "),
            out: texts("- "),
            into: texts("+ "),
        });
    }
    (mutants, excepted)
}

/// Ids of the properties, as the invariants have them.
fn properties() -> BTreeSet<String> {
    let text = read("engine/invariants.rs") + &read("engine/invariants/runs.rs");
    let ids = text.lines().filter_map(|line| {
        let (_, value) = line.strip_prefix("pub const ")?.split_once(": &str = \"")?;
        Some(value.trim_end_matches("\";").to_owned())
    });
    ids.collect()
}

/// Weaknesses of the controller, its workloads and its services that are called done.
fn mended() -> BTreeSet<String> {
    let text = read("docs/weaknesses.md");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let (id, _, status) = (cells.next()?, cells.next()?, cells.next()?);
        let counts = ["W-", "WL-", "SV-"].iter().any(|kind| id.starts_with(kind));
        (counts && status.starts_with("done")).then(|| id.to_owned())
    });
    rows.collect()
}

#[test]
fn each_mutant_still_finds_its_text() {
    let mut names = BTreeSet::new();
    for mutant in list().0 {
        let times = read(&mutant.file).matches(mutant.out.as_str()).count();
        assert_eq!(
            times, 1,
            "{}: its text occurs {times} times in {}",
            mutant.name, mutant.file
        );
        assert!(mutant.out != mutant.into && !mutant.tests.is_empty(), "{}", mutant.name);
        assert!(names.insert(mutant.name.clone()), "{} stands there twice", mutant.name);
    }
}

#[test]
fn each_property_and_each_mended_weakness_has_a_mutant_or_a_reason() {
    let (mutants, excepted) = list();
    let broken: BTreeSet<String> = mutants.iter().flat_map(|mutant| mutant.breaks.clone()).collect();
    let wanted: BTreeSet<String> = properties().union(&mended()).cloned().collect();
    let missing: Vec<&String> = wanted
        .iter()
        .filter(|id| !broken.contains(*id) && !excepted.contains(*id))
        .collect();
    assert!(
        missing.is_empty(),
        "without a mutant in tests/mutants/list: {missing:?}"
    );
    let both: Vec<&String> = broken.intersection(&excepted).collect();
    assert!(both.is_empty(), "excepted in spite of a mutant: {both:?}");
}
