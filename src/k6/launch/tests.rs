use super::*;
use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

fn ending(raw: i32, cause: Option<Cause>) -> Ending {
    Ending {
        status: Some(ExitStatus::from_raw(raw)),
        cause,
    }
}

#[test]
fn thresholds_and_broken_tests_are_told_apart() {
    for (ending, fate, text) in [
        (ending(0, None), Fate::Passed, ""),
        (
            ending(99 << 8, None),
            Fate::ThresholdsCrossed,
            "failed to run: exit status 99: thresholds have been crossed",
        ),
        (
            ending(107 << 8, None),
            Fate::TestError,
            "failed to run: exit status 107: the script threw an exception",
        ),
        (ending(1 << 8, None), Fate::TestError, "failed to run: exit status 1"),
        (ending(9, None), Fate::TestError, "failed to run: signal: killed"),
        (
            ending(9, Some(Cause::Limit(Duration::from_mins(1)))),
            Fate::TestError,
            "failed to run: signal: killed (time limit of 60s exceeded)",
        ),
        (
            ending(105 << 8, Some(Cause::Stopped(Why::Abandoned))),
            Fate::Stopped,
            "failed to run: exit status 105 (stopped: the client is gone): stopped from outside",
        ),
    ] {
        let verdict = judge(&ending, Summary::default());
        assert_eq!((verdict.fate, verdict.text.as_str()), (fate, text));
    }
}

#[test]
fn cloud_urls_are_the_two_known_ones() {
    for (output, url) in [
        (
            "x\n output: cloud (https://app.k6.io/runs/1157843)\n",
            Some("https://app.k6.io/runs/1157843"),
        ),
        (
            "output: cloud (https://org.grafana.net/a/k6-app/runs/12)",
            Some("https://org.grafana.net/a/k6-app/runs/12"),
        ),
        ("output: cloud (https://app.k6.io/runs/11", None),
        ("output: cloud (https://app.k6.io/runs/)", None),
        ("output: cloud (https://app.k6.io/runs/1x)", None),
        ("output: cloud (https://evil.example/runs/1)", None),
        ("output: cloud (https://grafana.net.evil/a/k6-app/runs/1)", None),
        ("output: -", None),
    ] {
        assert_eq!(cloud_url(output).as_deref(), url, "{output}");
    }
}

#[test]
fn a_runs_files_are_private_and_go_with_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::make(u64::MAX).unwrap();
    let path = folder.0.clone();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    fs::write(folder.script(), "x").unwrap();
    // One that an earlier process has left is replaced.
    let again = Folder::make(u64::MAX).unwrap();
    assert!(!again.script().exists());
    std::mem::forget(folder);
    drop(again);
    assert!(!path.exists());
}
