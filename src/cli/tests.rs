use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(normalize(line.split_whitespace().map(OsString::from)))
}

fn controller(line: &str) -> controller::Args {
    match parse(line).expect(line).command {
        Command::Controller(args) => *args,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn flags_are_read_with_one_dash_and_with_two() {
    for line in [
        "aviary controller -mesh-provider=gatewayapi:v1 -enable-leader-election -port 9000",
        "aviary controller --mesh-provider gatewayapi:v1 --enable-leader-election=true --port=9000",
    ] {
        let args = controller(line);
        assert_eq!(args.mesh_provider, "gatewayapi:v1");
        assert!(args.enable_leader_election);
        assert_eq!(args.port, 9000);
    }
}

#[test]
fn booleans_can_be_switched_off() {
    assert!(controller("aviary controller").enable_config_tracking);
    assert!(!controller("aviary controller -enable-config-tracking=false").enable_config_tracking);
}

#[test]
fn defaults_are_the_documented_ones() {
    let args = controller("aviary controller");
    assert_eq!(args.mesh_provider, "istio");
    assert_eq!(args.metrics_server, "http://prometheus:9090");
    assert_eq!(args.selector_labels, "app,name,app.kubernetes.io/name");
    assert_eq!(args.leader_election_namespace, "kube-system");
    assert_eq!((args.port, args.slack_user.as_str()), (8080, "flagger"));
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    assert_eq!(parse("aviary controller -no-such-flag").unwrap_err().exit_code(), 2);
}

#[test]
fn what_go_accepts_is_accepted() {
    for line in [
        "aviary controller -v=2 -logtostderr -stderrthreshold=INFO",
        "aviary controller -v 2 -alsologtostderr=false -log_dir /tmp -skip_headers",
        "aviary controller -kubeconfig= -master= -enable-leader-election=1",
        "aviary controller -port=1 -port=2 -enable-leader-election=false -enable-leader-election=T",
    ] {
        controller(line);
    }
    assert_eq!(
        controller("aviary controller -port=1 -port=2").port,
        2,
        "the last one counts"
    );
    assert!(controller("aviary controller -enable-leader-election=T").enable_leader_election);
    assert_eq!(
        parse("aviary controller -enable-leader-election=yes")
            .unwrap_err()
            .exit_code(),
        2
    );
}

#[test]
fn help_and_version_are_no_errors() {
    for line in [
        "-h",
        "-help",
        "controller -h",
        "controller --help",
        "-version",
        "controller -version",
    ] {
        assert_eq!(parse(&format!("aviary {line}")).unwrap_err().exit_code(), 0, "{line}");
    }
}

#[test]
fn the_companions_take_the_flags_of_their_peers() {
    for line in [
        "aviary loadtester",
        "aviary loadtester -port=8080 -log-level=info -timeout=1h -namespace-regexp=",
        "aviary loadtester --port 8080 -zap-replace-globals -zap-encoding=console -timeout 30m",
        "aviary k6-webhook",
        "aviary k6-webhook --cloud-token=a --listen-port 8000 --log-level=warning --slack-token=b --slack-api-url=http://s/",
        "aviary k6-webhook --kubernetes-client=in-cluster --max-concurrent-tests=0",
    ] {
        parse(line).expect(line);
    }
    for line in [
        "aviary loadtester -timeout=0",
        "aviary loadtester -timeout=soon",
        "aviary loadtester -failure-status=200",
        "aviary k6-webhook --max-concurrent-tests=-1",
        "aviary k6-webhook --log-level=loud",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}
