use super::*;
use serde_json::{Value, json};

fn reader(allowed: Option<&[&str]>) -> Reader {
    Reader {
        allowed: allowed.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
        servers: None,
        redaction: Redaction::default(),
    }
}

fn payload(metadata: &Value) -> Payload {
    let body = json!({"name": "podinfo", "namespace": "test", "metadata": metadata});
    Payload::read(body.to_string().as_bytes()).unwrap()
}

fn words(reader: &Reader, metadata: &Value) -> Result<Vec<String>, Refusal> {
    match reader.read(&payload(metadata))?.order {
        Order::Program(program) => Ok(program.words),
        other => panic!("{other:?}"),
    }
}

fn refusal(metadata: &Value) -> (u16, String) {
    let refusal = reader(None).read(&payload(metadata)).unwrap_err();
    (refusal.status, refusal.text)
}

#[test]
fn what_cannot_be_done_is_refused_with_the_documented_words() {
    for (metadata, status, text) in [
        (json!({}), 400, "metadata not found in payload"),
        (json!({"type": "cmd"}), 400, "cmd not found in metadata"),
        (json!({"command": "typo"}), 400, "cmd not found in metadata"),
        (json!({"type": "bash"}), 400, "cmd not found in metadata"),
        (json!({"type": "bash", "cmd": "  "}), 400, "cmd not found in metadata"),
        (json!({"type": "helmv3"}), 400, "cmd not found in metadata"),
        (json!({"type": "kubectl", "cmd": ""}), 400, "cmd not found in metadata"),
        (json!({"type": "http"}), 400, "url not found in metadata"),
        (
            json!({"type": "ngrinder"}),
            400,
            "server, clone, username and passwd are required metadata",
        ),
        (
            json!({"type": "concord"}),
            500,
            "`server` is required with type concord",
        ),
        (
            json!({"type": "helm", "cmd": "test 'x"}),
            400,
            "cmd: a quote is not closed",
        ),
    ] {
        assert_eq!(refusal(&metadata), (status, text.to_owned()), "{metadata}");
    }
    for unknown in ["", "Bash", "bats", " cmd"] {
        let (status, text) = refusal(&json!({"type": unknown, "cmd": "x"}));
        assert_eq!(status, 400);
        let wanted = format!(
            "unknown task type {unknown}; known are cmd, bash, helm, helmv3, kubectl, concord, ngrinder, http, grpc"
        );
        assert_eq!(text, wanted);
    }
    assert!(
        refusal(&json!({"type": "helm", "cmd": "test podinfo --cleanup"}))
            .1
            .contains("Helm 2")
    );
}

#[test]
fn a_shell_is_used_where_one_is_needed_only() {
    let reader = reader(None);
    for (command, wanted) in [
        ("cat -n /dev/null", vec!["cat", "-n", "/dev/null"]),
        ("cat /dev/null | cat", vec!["sh", "-c", "cat /dev/null | cat"]),
        // A builtin of the shell, or nothing that is installed: the shell says so.
        ("exit 3", vec!["sh", "-c", "exit 3"]),
        ("no-such-program -x", vec!["sh", "-c", "no-such-program -x"]),
        ("echo 'open", vec!["sh", "-c", "echo 'open"]),
    ] {
        assert_eq!(words(&reader, &json!({"cmd": command})).unwrap(), wanted, "{command}");
    }
    assert_eq!(
        words(&reader, &json!({"type": "bash", "cmd": "bats a"})).unwrap(),
        ["bash", "-c", "bats a"]
    );
    assert_eq!(
        words(&reader, &json!({"type": "helmv3", "cmd": "test podinfo -n test"})).unwrap(),
        ["helm", "test", "podinfo", "-n", "test"]
    );
    let overrides = r#"run test --overrides='{ "spec": { "serviceAccount": "default:default" }  }'"#;
    assert_eq!(
        words(&reader, &json!({"type": "kubectl", "cmd": overrides})).unwrap(),
        [
            "kubectl",
            "run",
            "test",
            r#"--overrides={ "spec": { "serviceAccount": "default:default" }  }"#
        ]
    );
}

#[test]
fn only_listed_programs_run() {
    let reader = reader(Some(&["hey", "kubectl"]));
    assert_eq!(
        words(&reader, &json!({"cmd": "hey -z 1m http://a/"})).unwrap()[0],
        "hey"
    );
    assert!(words(&reader, &json!({"type": "kubectl", "cmd": "get pods"})).is_ok());
    for (metadata, text) in [
        (
            json!({"cmd": "curl http://a/"}),
            "command curl is not allowed; allowed are hey, kubectl",
        ),
        (
            json!({"cmd": "/tmp/hey x"}),
            "command /tmp/hey is not allowed; allowed are hey, kubectl",
        ),
        (
            json!({"cmd": "hey; curl"}),
            "a shell is not allowed for this command; allowed are hey, kubectl",
        ),
        (
            json!({"type": "bash", "cmd": "hey"}),
            "command bash is not allowed; allowed are hey, kubectl",
        ),
        (
            json!({"type": "helm", "cmd": "list"}),
            "command helm is not allowed; allowed are hey, kubectl",
        ),
    ] {
        let refusal = words(&reader, &metadata).unwrap_err();
        assert_eq!((refusal.status, refusal.text.as_str()), (403, text));
    }
}

#[test]
fn only_listed_servers_are_called() {
    let mut reader = reader(None);
    reader.servers = Some(["canary.test".to_owned(), "other.test:8080".to_owned()].into());
    for (url, allowed) in [
        ("http://canary.test/", true),
        ("http://canary.test:9898/x", true),
        ("http://other.test:8080/", true),
        ("http://other.test/", false),
        ("http://169.254.169.254/latest", false),
    ] {
        assert_eq!(
            reader.read(&payload(&json!({"type": "http", "url": url}))).is_ok(),
            allowed,
            "{url}"
        );
    }
}

#[test]
fn who_waits_and_who_does_not() {
    let reader = reader(None);
    for (metadata, background, returns) in [
        (json!({"cmd": "x"}), true, false),
        (json!({"type": "bash", "cmd": "x"}), false, false),
        (
            json!({"type": "bash", "cmd": "x", "returnCmdOutput": "true"}),
            false,
            true,
        ),
        (
            json!({"type": "bash", "cmd": "x", "returnCmdOutput": true}),
            false,
            true,
        ),
        (
            json!({"type": "bash", "cmd": "x", "returnCmdOutput": "yes"}),
            false,
            false,
        ),
        (json!({"type": "http", "url": "http://a/"}), true, false),
        (json!({"type": "http", "url": "http://a/", "wait": "true"}), false, true),
        (
            json!({"type": "ngrinder", "server": "http://a/", "clone": 100, "username": "a", "passwd": "YWRtaW4="}),
            true,
            false,
        ),
    ] {
        let ask = reader.read(&payload(&metadata)).unwrap();
        assert_eq!((ask.background, ask.return_output), (background, returns), "{metadata}");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let ask = reader(None)
        .read(&payload(
            &json!({"cmd": "curl -H 'Authorization: Bearer abc' http://me:pw@host/"}),
        ))
        .unwrap();
    assert_eq!(ask.shown, "curl -H 'Authorization: ***' http://***@host/");
    let load = json!({"type": "http", "url": "http://me:pw@host/", "headers": "X-Key: s3cret", "body": "s3cret"});
    let ask = reader(None).read(&payload(&load)).unwrap();
    assert!(
        !ask.shown.contains("s3cret") && !ask.shown.contains("pw"),
        "{}",
        ask.shown
    );
    let grinder =
        json!({"type": "ngrinder", "server": "http://a/", "clone": "1", "username": "u", "passwd": "c2VjcmV0"});
    let ask = reader(None).read(&payload(&grinder)).unwrap();
    assert!(!format!("{ask:?}").contains("secret"), "{ask:?}");
}
