//! What stands in deploy/, without a cluster: one source for what is there twice, names of metrics that are exported, Dockerfiles.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]

use regex::Regex;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Series that the client library exports for the process.
const PROCESS: [&str; 4] = [
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];
const DOCKERFILES: [&str; 3] = ["Dockerfile", "loadtester.Dockerfile", "k6-webhook.Dockerfile"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn what_is_there_twice_is_the_same() {
    assert_eq!(read("deploy/crds/crds.yaml"), crds::manifest::yaml());
    assert_eq!(read("deploy/policies/policies.yaml"), crds::policy::yaml());
    for (chart, source) in [
        ("crds/crds.yaml", "deploy/crds/crds.yaml"),
        ("files/policies.yaml", "deploy/policies/policies.yaml"),
        ("files/rbac.yaml", "deploy/kustomize/base/rbac.yaml"),
        ("files/rules.yaml", "deploy/rules/aviary.yaml"),
        ("files/prometheus.yml", "deploy/kustomize/prometheus/prometheus.yml"),
    ] {
        assert_eq!(read(&format!("deploy/charts/aviary/{chart}")), read(source), "{chart}");
    }
    let version = env!("CARGO_PKG_VERSION");
    for chart in ["aviary", "loadtester", "k6-webhook"] {
        let about = yaml(&format!("deploy/charts/{chart}/Chart.yaml"));
        assert_eq!(
            (&about["appVersion"], &about["version"]),
            (&version.into(), &version.into()),
            "{chart}"
        );
    }
    for overlay in ["base", "tester"] {
        let images = yaml(&format!("deploy/kustomize/{overlay}/kustomization.yaml"))["images"].clone();
        assert_eq!(images[0]["newTag"], version, "{overlay}");
    }
}

/// Names with our prefixes, and those of the process, in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\b(flagger|aviary|process)_[a-z_]+[a-z]\b").unwrap();
    let part = Regex::new("_(bucket|count|sum)$").unwrap();
    let found = name.find_iter(text);
    found.map(|name| part.replace(name.as_str(), "").into_owned()).collect()
}

#[test]
fn panels_and_rules_name_what_is_exported() {
    // Names stand in quotes there, as nothing else does.
    let quoted = Regex::new(r#""((?:flagger|aviary)_[a-z_]+)""#).unwrap();
    let source = read("actors/series.rs") + &read("actors/series/checks.rs") + &read("actors/series/lateness.rs");
    let mut exported: BTreeSet<String> = quoted.captures_iter(&source).map(|found| found[1].to_owned()).collect();
    exported.extend(PROCESS.map(str::to_owned));
    let mut named = metrics(&read("deploy/rules/aviary.yaml"));
    for board in ["fleet", "canary", "operator"] {
        let content: Value =
            serde_json::from_str(&read(&format!("deploy/charts/grafana/dashboards/{board}.json"))).unwrap();
        for panel in content["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let expr = target["expr"].as_str().unwrap();
                let of_panel = metrics(expr);
                assert!(!of_panel.is_empty(), "{board}: {expr}");
                named.extend(of_panel);
            }
        }
    }
    let unknown: Vec<&String> = named.difference(&exported).collect();
    assert!(unknown.is_empty(), "nothing exports {unknown:?}");
    let shown = named.len();
    let unseen: Vec<&String> = exported.difference(&named).collect();
    assert!(unseen.is_empty(), "no panel and no rule shows {unseen:?}, of {shown}");
}

/// Instructions of a Dockerfile, in order, with their continued lines.
fn instructions(text: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\n", " ");
    let lines = joined
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = lines.map(|line| line.split_once(' ').unwrap_or((line, "")));
    split
        .map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()))
        .collect()
}

#[test]
fn dockerfiles_are_pinned_and_end_as_a_user_without_rights() {
    for name in DOCKERFILES {
        let all = instructions(&read(&format!("deploy/{name}")));
        let stages: Vec<&String> = all
            .iter()
            .filter(|(word, _)| word == "FROM")
            .map(|(_, rest)| rest)
            .collect();
        assert!(stages.len() >= 2, "{name} has one stage only");
        for stage in &stages {
            let image = stage.split(' ').next().unwrap();
            let tag = image.rsplit_once(':').map(|(_, tag)| tag);
            assert!(tag.is_some_and(|tag| tag != "latest"), "{name}: {image} is not pinned");
        }
        let start = all.iter().rposition(|(word, _)| word == "FROM").unwrap();
        let last = &all[start..];
        let of = |wanted: &str| {
            last.iter()
                .rfind(|(word, _)| word == wanted)
                .map(|(_, rest)| rest.as_str())
        };
        let user = of("USER").unwrap_or_else(|| panic!("{name} ends as root"));
        let (user, group) = user.split_once(':').unwrap();
        assert!(
            user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0,
            "{name}"
        );
        for exec in ["ENTRYPOINT", "CMD"] {
            let form: Vec<String> =
                serde_json::from_str(of(exec).unwrap()).unwrap_or_else(|_| panic!("{name}: {exec} needs a shell"));
            assert!(!form.is_empty());
        }
        assert!(
            all.iter().all(|(word, _)| word != "ADD"),
            "{name}: COPY says what it does"
        );
        let builds: Vec<&String> = all
            .iter()
            .map(|(_, rest)| rest)
            .filter(|rest| rest.contains("cargo build"))
            .collect();
        assert!(
            builds
                .iter()
                .all(|it| it.contains("--locked") && it.contains("--no-default-features")),
            "{name}"
        );
        assert_eq!(builds.len(), 1, "{name}");
        for (_, rest) in all
            .iter()
            .filter(|(word, rest)| word == "COPY" && !rest.starts_with("--from"))
        {
            let (sources, _) = rest.rsplit_once(' ').unwrap();
            for source in sources.split(' ') {
                assert!(path(source).exists(), "{name}: there is no {source}");
            }
        }
        let rust = all
            .iter()
            .find(|(word, rest)| word == "FROM" && rest.starts_with("rust:"))
            .unwrap();
        let toolchain = read("rust-toolchain.toml");
        let channel = toolchain.split('"').nth(1).unwrap();
        assert!(
            rust.1.starts_with(&format!("rust:{channel}-")),
            "{name}: {}, not {channel}",
            rust.1
        );
    }
}

#[test]
fn the_images_have_the_programs_that_the_tests_run() {
    let built = read("tests/testers/build");
    let (tester, k6) = (
        read("deploy/loadtester.Dockerfile"),
        read("deploy/k6-webhook.Dockerfile"),
    );
    for (program, file) in [("hey", &tester), ("ghz", &tester), ("helm", &tester), ("k6", &k6)] {
        let line = built
            .lines()
            .find(|line| line.trim_start().starts_with(&format!("\"{program} ")))
            .unwrap();
        let package = line.trim().trim_matches('"').split(' ').nth(1).unwrap();
        assert!(
            file.contains(&format!("/out/{program} {package}")),
            "{program} {package}"
        );
        assert!(
            file.contains(&format!("tests/testers/{program}/go.sum")),
            "{program} is not pinned"
        );
    }
    for word in [
        "kubectl",
        "bats",
        "curl",
        "jq",
        "git",
        "bash",
        "helmv3",
        "/tmp/ghz/health.proto",
    ] {
        assert!(tester.contains(word), "{word}");
    }
}

/// Where hadolint can be had: PyPI may be out of reach, and what must hold is checked above.
#[test]
fn hadolint_has_nothing_to_say() {
    let output = Command::new(path("tests/tools/hadolint")).output().unwrap();
    if !output.status.success() {
        println!("skipped: {}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let hadolint = String::from_utf8(output.stdout).unwrap();
    for name in DOCKERFILES {
        let output = Command::new(hadolint.trim())
            .arg(path("deploy").join(name))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}
