//! The load tester's guards: secrets stay secret, a token and a certificate are asked for.

use std::process::Command;

use crate::{
    cluster::{
        process::{Process, free_port},
        until,
    },
    companions::{Companion, PATIENCE, folder},
    task,
};

#[tokio::test]
async fn secrets_are_in_no_answer_and_no_log() {
    let file = folder("token-file").join("token");
    std::fs::write(&file, "the-bearer-token\n").unwrap();
    let flag = format!("-token-file={}", file.display());
    let tester = Companion::loadtester("secrets", &[&flag], &[("MY_API_TOKEN", "hunter22-and-more")]).await;
    let refused = tester.post("/", &task("a", "bash", "true")).await;
    assert_eq!((refused.status, refused.body.as_str()), (401, "Unauthorized"));
    for path in ["/tasks", "/gates", "/tasks/1"] {
        assert_eq!(tester.get(path).await.status, 401, "{path}");
    }
    let command = format!("echo $MY_API_TOKEN; cat {}; exit 1", file.display());
    let answer = tester
        .request("/", &task("a", "bash", &command))
        .bearer_auth("the-bearer-token");
    let text = answer.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("failed: ***\n***\n: exit status 1"), "{text}");
    let seen = tester
        .request("/", &task("b", "bash", "true"))
        .basic_auth("any", Some("the-bearer-token"));
    assert_eq!(seen.send().await.unwrap().status(), 200, "as a controller shows it");
    let said = tester.said();
    assert!(
        !said.contains("hunter22") && !said.contains("the-bearer-token"),
        "{said}"
    );
}

#[tokio::test]
async fn mutual_tls_lets_in_who_has_a_certificate() {
    let here = folder("tls-files");
    let script = "set -e; cd $0
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 2 -subj /CN=ca
        printf 'subjectAltName=IP:127.0.0.1' > server.ext; printf 'extendedKeyUsage=clientAuth' > client.ext
        for name in server client; do
          openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.csr -subj /CN=$name
          openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile $name.ext -out $name.crt
        done";
    let made = Command::new("bash").args(["-c", script]).arg(&here).output().unwrap();
    assert!(
        made.status.success(),
        "openssl (apt-get install openssl): {}",
        String::from_utf8_lossy(&made.stderr)
    );
    let file = |name: &str| here.join(name).display().to_string();
    let port = free_port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_aviary"));
    command.args([
        "loadtester",
        &format!("-port={port}"),
        &format!("-tls-cert={}", file("server.crt")),
    ]);
    command.args([
        format!("-tls-key={}", file("server.key")),
        format!("-tls-client-ca={}", file("ca.crt")),
    ]);
    let _server = Process::start(&mut command, &here.join("log"));
    let call = |more: &[String]| {
        let mut curl = Command::new("curl");
        curl.args(["-s", "--noproxy", "*", "--cacert", &file("ca.crt"), "-d", "{}"])
            .args(more);
        curl.arg(format!("https://127.0.0.1:{port}/gate/approve"));
        String::from_utf8(curl.output().unwrap().stdout).unwrap()
    };
    let certificate = [
        "--cert".to_owned(),
        file("client.crt"),
        "--key".to_owned(),
        file("client.key"),
    ];
    until("it lets us in", PATIENCE, async || {
        (call(&certificate) == "OK").then_some(())
    })
    .await;
    assert_eq!(call(&[]), "", "without a certificate there is no answer");
}

#[tokio::test]
async fn the_status_of_a_failed_test_can_be_chosen() {
    let failing = task("a", "bash", "echo no; exit 3");
    for (flags, status) in [(vec![], 500), (vec!["-failure-status=424"], 424)] {
        let tester = Companion::loadtester(&format!("status-{status}"), &flags, &[]).await;
        let answer = tester.post("/", &failing).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.body, "command echo no; exit 3 failed: no\n: exit status 3");
    }
}
