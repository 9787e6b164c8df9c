use super::*;

#[test]
fn documented_commands_need_no_shell() {
    let cases: [(&str, &[&str]); 7] = [
        (
            "hey -z 1m -q 10 -c 2 http://podinfo-canary.test:9898/",
            &[
                "hey",
                "-z",
                "1m",
                "-q",
                "10",
                "-c",
                "2",
                "http://podinfo-canary.test:9898/",
            ],
        ),
        (
            "hey -z 1m -m POST -d '{test: 2}' http://podinfo-canary.test:9898/echo",
            &[
                "hey",
                "-z",
                "1m",
                "-m",
                "POST",
                "-d",
                "{test: 2}",
                "http://podinfo-canary.test:9898/echo",
            ],
        ),
        (
            "ghz --insecure --proto=/tmp/ghz/health.proto --call=grpc.health.v1.Health/Check podinfo.test:9898",
            &[
                "ghz",
                "--insecure",
                "--proto=/tmp/ghz/health.proto",
                "--call=grpc.health.v1.Health/Check",
                "podinfo.test:9898",
            ],
        ),
        (
            r#"run test --image=alpine --overrides='{ "spec": { "serviceAccount": "default:default" }  }'"#,
            &[
                "run",
                "test",
                "--image=alpine",
                r#"--overrides={ "spec": { "serviceAccount": "default:default" }  }"#,
            ],
        ),
        ("bats /tests/acceptance.bats\n", &["bats", "/tests/acceptance.bats"]),
        (r#"curl -H "K: V" a\ b"#, &["curl", "-H", "K: V", "a b"]),
        ("printf '' \"\"", &["printf", "", ""]),
    ];
    for (line, words) in cases {
        let split = split(line).unwrap();
        assert_eq!(split.words, words, "{line}");
        assert!(!split.needs_shell, "{line}");
    }
}

#[test]
fn what_only_a_shell_does_is_seen() {
    for line in [
        "curl -sd 'test' http://a/token | grep token",
        "echo no; exit 3",
        "sleep 1 &",
        "echo $HOME",
        "echo \"$HOME\"",
        "echo `id`",
        "ls *.bats",
        "cat < /etc/passwd",
        "TARGET=x bats a.bats",
        "cd /tmp\nls",
        "cat ~/file",
        "curl http://a/?x=1&y=2",
        "! true",
    ] {
        assert!(split(line).unwrap().needs_shell, "{line}");
    }
    assert!(!split("curl 'http://a/?x=1&y=2' --data=a").unwrap().needs_shell);
}

#[test]
fn open_quotes_are_refused() {
    assert_eq!(split("echo 'a"), Err(BadWords::OpenQuote));
    assert_eq!(split("echo \"a"), Err(BadWords::OpenQuote));
    assert_eq!(split("echo a\\"), Err(BadWords::OpenEscape));
}
