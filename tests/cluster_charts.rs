//! What the documents install, tried as a new user would: charts and overlays on a control plane that nothing was installed on, with a
//! real Helm; the controller, started as the chart says and with the rights that the chart gives, releases podinfo.

#![expect(clippy::unwrap_used, reason = "a test may panic, and so may its helpers")]
#![expect(
    dead_code,
    reason = "the fixtures are for all cluster tests, this one needs a part of them"
)]

mod charts;
mod cluster;
mod companions;

use charts::{
    Ground, attempt,
    boards::{Asked, boards, queries},
    chart, chores, file, lint, objects, pick, render, shared,
    values::{DOCUMENTED, OWN, PEERS, REFUSED, Row},
};
use cluster::{
    kinds,
    lab::{items, text},
    metrics::{Prometheus, scraping},
    until,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, process::Command, time::Duration};

/// How long a controller may take to end: what it does is a few requests.
const STOP: Duration = Duration::from_secs(10);
/// Where the controller of the control plane's token lives.
const HOME: &str = "aviary-system";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn charts() {
    let Some(ground) = Ground::up("cluster-charts").await else {
        return;
    };
    prepare(&ground);
    a_release_lives(&ground).await;
    works_in_one_namespace(&ground).await;
    others_kinds(&ground).await;
    all_values(&ground);
    overlays(&ground);
    works_with_an_overlay(&ground).await;
}

/// The Gateway API, and namespaces: ours refuses pods that are not restricted.
fn prepare(ground: &Ground) {
    let kubectl = std::path::Path::new(ground.lab().env("AVIARY_KUBECTL"));
    let gateway = kubectl.ancestors().nth(2).unwrap().join("gateway-api");
    ground.kubectl(&["apply", "--server-side", "-f", &gateway.to_string_lossy()]);
    for namespace in [HOME, "flagger-system"] {
        ground.kubectl(&["create", "namespace", namespace]);
        let label = "pod-security.kubernetes.io/enforce=restricted";
        ground.kubectl(&["label", "namespace", namespace, label]);
    }
}

/// Install an earlier version, upgrade it, release podinfo, uninstall.
async fn a_release_lives(ground: &Ground) {
    let lab = ground.lab();
    let room = lab.room("charted").await;
    let prometheus = Prometheus::start(lab, BTreeMap::from([(room.name.clone(), 0)])).await;
    let server = format!("metricsServer={}", prometheus.url);
    let values = [
        "--set",
        &server,
        "--set",
        "meshProvider=gatewayapi:v1",
        "--wait",
        "--timeout=90s",
    ];
    let place = ["-n", HOME];

    let earlier = earlier_version();
    ground.helm(&[&["install", "aviary", &earlier], &place[..], &values[..]].concat());
    let replicas = [
        "--set",
        "leaderElection.replicaCount=2,podDisruptionBudget.enabled=true",
    ];
    let hook = ["--set", "eventWebhook=http://127.0.0.1:9/nobody"];
    ground.helm(
        &[
            &["upgrade", "-i", "aviary", &chart("aviary")],
            &place[..],
            &values[..],
            &replicas[..],
            &hook[..],
        ]
        .concat(),
    );
    let history: Value =
        serde_json::from_str(&ground.helm(&[&["history", "aviary", "-o", "json"], &place[..]].concat())).unwrap();
    let charts: Vec<&str> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(&one["chart"]))
        .collect();
    assert_eq!(charts, ["aviary-0.0.1", "aviary-0.1.0"]);

    let deployment = lab
        .get("/apis/apps/v1/namespaces/aviary-system/deployments/aviary")
        .await
        .unwrap();
    assert_eq!(deployment["status"]["readyReplicas"], 2, "{:#}", deployment["status"]);
    assert!(
        !deployment.to_string().contains("127.0.0.1:9"),
        "an address is in the pod's template"
    );
    let controller = chores::controller(lab, HOME, "aviary").await;
    let folder = companions::folder("cluster-charts-scraped");
    let (_scraper, scraped) = scraping(&folder, controller.port(), &folder.join("log"));
    chores::begin(&room).await;
    chores::release(&room).await;
    nothing_is_empty(&Asked::at(&scraped), &room.name).await;
    let ended = controller.terminate(STOP).await;
    assert!(ended.success(), "{ended}");

    let before = chores::census(&room).await;
    ground.helm(&[&["uninstall", "aviary", "--wait"], &place[..]].concat());
    for path in [
        "/apis/apps/v1/namespaces/aviary-system/deployments/aviary",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/aviary",
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/aviary-canaries",
        "/api/v1/namespaces/aviary-system/secrets/aviary-addresses",
    ] {
        assert_eq!(lab.get(path).await, None, "{path} is still there");
    }
    assert_eq!(
        chores::census(&room).await,
        before,
        "an uninstalled chart takes releases along"
    );
    no_refusals(ground, |_| false);
}

/// Every panel about the controller shows something after a release.
async fn nothing_is_empty(prometheus: &Asked, namespace: &str) {
    let ended = r#"flagger_canary_successes_total{name="podinfo"}"#;
    let minute = Duration::from_mins(1);
    until("Prometheus answers", minute, async || {
        prometheus.is_ready().await.then_some(())
    })
    .await;
    until("the end of the run is scraped", minute, async || {
        (!prometheus.values(ended).await.is_empty()).then_some(())
    })
    .await;
    let variables = [("namespace", namespace), ("canary", "podinfo"), ("target", "podinfo")];
    let mut empty = Vec::new();
    for (name, board) in boards().iter().filter(|(name, _)| name != "traffic") {
        for query in queries(name, board, &variables) {
            let values = prometheus.values(&query.expr).await;
            if values.is_empty() || values.iter().all(|value| value.is_nan()) {
                empty.push(format!("{} of {name}: {values:?}: {}", query.panel, query.expr));
            }
        }
    }
    assert!(empty.is_empty(), "{empty:#?}");
    let state = prometheus.values("flagger_canary_status").await;
    assert_eq!(state, [1.0]);
}

/// A chart as it may have been a version ago.
fn earlier_version() -> String {
    let folder = companions::folder("chart-earlier").join("aviary");
    let copied = Command::new("cp").arg("-rL").arg(chart("aviary")).arg(&folder).status();
    assert!(copied.unwrap().success());
    for name in ["Chart.yaml", "values.yaml"] {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).unwrap();
        let text = text
            .replace("version: 0.1.0", "version: 0.0.1")
            .replace("logLevel: info", "logLevel: debug");
        fs::write(path, text).unwrap();
    }
    folder.to_string_lossy().into_owned()
}

/// With `namespace` there is a Role, and it is enough: nothing outside of that namespace is asked for.
async fn works_in_one_namespace(ground: &Ground) {
    let lab = ground.lab();
    let room = lab.room("alone").await;
    let prometheus = Prometheus::start(lab, BTreeMap::from([(room.name.clone(), 0)])).await;
    let asked_before = audit(ground).len();
    let values = format!(
        "namespace={},meshProvider=gatewayapi:v1,metricsServer={}",
        room.name, prometheus.url
    );
    ground.helm(&[
        "install",
        "aviary",
        &chart("aviary"),
        "-n",
        HOME,
        "--wait",
        "--timeout=90s",
        "--set",
        &values,
    ]);
    for kind in ["clusterroles", "clusterrolebindings"] {
        let path = format!("/apis/rbac.authorization.k8s.io/v1/{kind}/aviary");
        assert_eq!(lab.get(&path).await, None, "{path} is there");
    }
    let controller = chores::controller(lab, HOME, "aviary").await;
    chores::begin(&room).await;
    chores::release(&room).await;
    let ended = controller.terminate(STOP).await;
    assert!(ended.success(), "{ended}");
    ground.helm(&["uninstall", "aviary", "-n", HOME, "--wait"]);

    let inside = format!("/namespaces/{}/", room.name);
    let asked = audit(ground).split_off(asked_before);
    let outside: Vec<&String> = asked
        .iter()
        .map(|(_, uri)| uri)
        .filter(|uri| !uri.contains(&inside))
        .collect();
    assert!(!asked.is_empty());
    let discovery = |uri: &&&String| uri.as_str() == "/apis/flagger.app/v1beta1";
    assert!(outside.iter().all(|uri| discovery(&uri)), "{outside:#?}");
    no_refusals(ground, |_| false);
}

/// Status and address of every request of the controller's account so far.
fn audit(ground: &Ground) -> Vec<(i64, String)> {
    let log = fs::read_to_string(ground.lab().env("AVIARY_AUDIT_LOG")).unwrap();
    let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let asked = entries.map(|entry| {
        let status = entry["responseStatus"]["code"].as_i64().unwrap_or_default();
        (status, text(&entry["requestURI"]).to_owned())
    });
    asked.collect()
}

fn no_refusals(ground: &Ground, excused: impl Fn(&str) -> bool) {
    let refused: Vec<String> = audit(ground)
        .into_iter()
        .filter_map(|(status, uri)| (status == 403 && !excused(&uri)).then_some(uri))
        .collect();
    assert!(refused.is_empty(), "RBAC forbids: {refused:#?}");
}

/// Kinds that charts and overlays write for others: their real definitions where they are at hand.
async fn others_kinds(ground: &Ground) {
    if let Some(definitions) = shared("data/crds") {
        for name in ["prometheus-operator.yaml", "appmesh.yaml", "istio.yaml"] {
            let path = definitions.join(name);
            ground.kubectl(&["apply", "--server-side", "-f", &path.to_string_lossy()]);
        }
    }
    for (group, version, kind) in [
        ("monitoring.coreos.com", "v1", "PodMonitor"),
        ("monitoring.coreos.com", "v1", "ServiceMonitor"),
        ("monitoring.coreos.com", "v1", "PrometheusRule"),
        ("policy.linkerd.io", "v1alpha1", "AuthorizationPolicy"),
        ("networking.istio.io", "v1beta1", "VirtualService"),
        ("networking.istio.io", "v1beta1", "Gateway"),
        ("appmesh.k8s.aws", "v1beta2", "VirtualNode"),
    ] {
        kinds::install(ground.lab(), group, version, kind).await;
    }
    ground.kubectl(&["create", "namespace", "linkerd-viz"]);
    ground.kubectl(&["create", "namespace", "test"]);
}

/// Every row renders, passes the linter, and is taken by the API server, field by field.
fn all_values(ground: &Ground) {
    let documented = documented_names();
    for name in &documented {
        let known = DOCUMENTED
            .iter()
            .any(|(_, _, _, options)| options.iter().any(|option| option.starts_with(&format!("{name}="))));
        assert!(known, "the documents set {name}, which no row sets");
    }
    for (number, (name, release, namespace, options)) in DOCUMENTED.iter().chain(&OWN).enumerate() {
        judge(ground, &format!("row {number}"), (name, release, namespace, options));
    }
    for (name, values) in PEERS {
        let path = companions::folder("chart-values").join(format!("{name}.yaml"));
        fs::write(&path, values).unwrap();
        let path = path.to_string_lossy().into_owned();
        lint(name, &["-f", &path]);
        let rendered = render(name, "flagger", "flagger-system", &["-f", &path]);
        ground.would_apply(&format!("the peer's values of {name}"), &rendered);
    }
    for (name, options, reason) in REFUSED {
        let output = attempt(name, "x", "flagger-system", options);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(reason), "{options:?}: {told}");
    }
    what_the_values_mean();
}

fn judge(ground: &Ground, what: &str, (name, release, namespace, options): Row) {
    lint(name, options);
    let rendered = render(name, release, namespace, options);
    ground.would_apply(&format!("{what}, {name} {options:?}"), &rendered);
    if name != "grafana" {
        takes_arguments(&rendered);
    }
}

/// Our binary knows the arguments of a rendered chart.
fn takes_arguments(rendered: &str) {
    let all = objects(rendered);
    let ours = |it: &&Value| {
        ["aviary", "loadtester", "k6-webhook"].contains(&text(&it["spec"]["template"]["spec"]["containers"][0]["name"]))
    };
    let deployment = all.iter().find(ours).expect("a Deployment with our binary");
    let arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array()
        .unwrap();
    let mut aviary = Command::new(env!("CARGO_BIN_EXE_aviary"));
    // The version is told when all before it was understood.
    let output = aviary
        .args(arguments.iter().map(text))
        .arg("--version")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// Names that the documents give to `--set`, if the documents are at hand.
fn documented_names() -> Vec<String> {
    let Some(folder) = shared("seeds") else {
        return Vec::new();
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in plain(&text).split("--set ").skip(1) {
            let name: String = part
                .chars()
                .take_while(|c| c.is_alphanumeric() || ".-_".contains(*c))
                .collect();
            if part[name.len()..].starts_with('=') {
                names.push(name);
            }
        }
    }
    assert!(names.len() >= 10, "{names:?}");
    names
}

/// The text of a document that may be HTML inside of XML.
fn plain(text: &str) -> String {
    let mut text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    text = text.replace("&lt;", "<").replace("&gt;", ">");
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, tag)) = rest.split_once('<') {
        plain.push_str(before);
        match tag.split_once('>') {
            Some((_, after)) => rest = after,
            None => return plain,
        }
    }
    plain + rest
}

/// Values arrive where they should.
fn what_the_values_mean() {
    let arguments = |options: &[&str]| {
        let all = objects(&render("aviary", "aviary", HOME, options));
        let deployment = pick(&all, "Deployment", "aviary").unwrap().clone();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let arguments: Vec<String> = container["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| text(it).to_owned())
            .collect();
        (arguments, all, deployment)
    };
    for (options, wanted) in [
        ("selectorLabels=my-app-label", "-selector-labels=my-app-label"),
        ("configTracking.enabled=false", "-enable-config-tracking=false"),
        ("clusterName=my-cluster", "-cluster-name=my-cluster"),
        ("slack.channel=some-channel-name", "-slack-channel=some-channel-name"),
        ("meshProvider=istio", "-mesh-provider=istio"),
        ("noCrossNamespaceRefs=true", "-no-cross-namespace-refs=true"),
        ("includeLabelPrefix=a/", "-include-label-prefix=a/"),
        ("kubeconfigQPS=1000000", "-kubeconfig-qps=1000000"),
        ("controlLoopInterval=5s", "-control-loop-interval=5s"),
        ("ingressClass=contour", "-ingress-class=contour"),
        (
            "leaderElection.namespace=kube-system",
            "-leader-election-namespace=kube-system",
        ),
        (
            "controlplane.kubeconfig.secretName=a",
            "-kubeconfig-service-mesh=/tmp/controlplane/kubeconfig",
        ),
        (
            "prometheus.install=true",
            "-metrics-server=http://aviary-prometheus:9090",
        ),
        ("extraArgs={-v=2}", "-v=2"),
    ] {
        let (arguments, _, _) = arguments(&["--set", options]);
        assert!(arguments.iter().any(|it| it == wanted), "{options}: {arguments:?}");
    }
    let (without, _, _) = arguments(&[]);
    assert!(
        !without.iter().any(|it| it.starts_with("-mesh-provider")),
        "{without:?}"
    );
    for (options, variable, value) in [
        (
            "slack.url=https://hooks.slack.com/a",
            "SLACK_URL",
            "https://hooks.slack.com/a",
        ),
        ("slack.proxy=p", "SLACK_PROXY_URL", "p"),
        ("slack.proxyUrl=p", "SLACK_PROXY_URL", "p"),
        ("slack.token=t", "SLACK_TOKEN", "t"),
        (
            "msteams.url=https://outlook.office.com/a",
            "MSTEAMS_URL",
            "https://outlook.office.com/a",
        ),
        ("msteams.proxy-url=p", "MSTEAMS_PROXY_URL", "p"),
        (
            "eventWebhook=http://example.com/a",
            "EVENT_WEBHOOK_URL",
            "http://example.com/a",
        ),
    ] {
        let (arguments, all, deployment) = arguments(&["--set", options]);
        let secret = pick(&all, "Secret", "aviary-addresses").unwrap();
        assert_eq!(secret["stringData"], json!({variable: value}));
        let variables = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
        let from =
            json!([{"name": variable, "valueFrom": {"secretKeyRef": {"name": "aviary-addresses", "key": variable}}}]);
        assert_eq!(variables, &from);
        assert!(
            arguments.iter().all(|it| !it.contains(value) || value.len() == 1),
            "{arguments:?}"
        );
    }
    let (_, _, single) = arguments(&["--set", "leaderElection.enabled=false,leaderElection.replicaCount=3"]);
    assert_eq!(
        (&single["spec"]["replicas"], &single["spec"]["strategy"]["type"]),
        (&json!(1), &json!("Recreate"))
    );
    let denying = objects(&render("aviary", "aviary", HOME, &["--set", "policies.deny=true"]));
    let binding = pick(&denying, "ValidatingAdmissionPolicyBinding", "aviary-canaries").unwrap();
    assert_eq!(binding["spec"]["validationActions"], json!(["Deny", "Audit"]));
    let rules = |all: &[Value], kind: &str| pick(all, kind, "aviary").map(|role| role["rules"].clone());
    let base = objects(&fs::read_to_string(file("deploy/kustomize/base/rbac.yaml")).unwrap());
    let whole = objects(&render("aviary", "aviary", HOME, &[]));
    assert_eq!(rules(&whole, "ClusterRole"), rules(&base, "ClusterRole"));
    let one = objects(&render("aviary", "aviary", HOME, &["--set", "namespace=test"]));
    assert_eq!(rules(&one, "ClusterRole"), None);
    let role = rules(&one, "Role").unwrap();
    assert_eq!(
        role.as_array().unwrap().len() + 1,
        rules(&base, "ClusterRole").unwrap().as_array().unwrap().len()
    );
}

/// Every overlay is taken; what they say of providers and metrics is in the Deployment.
fn overlays(ground: &Ground) {
    let mut seen = 0;
    for entry in fs::read_dir(file("deploy/kustomize")).unwrap() {
        let folder = entry.unwrap().path();
        let text = fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
        if text.contains("kind: Component") {
            continue;
        }
        let rendered = ground.kubectl(&["kustomize", &folder.to_string_lossy()]);
        ground.would_apply(&folder.to_string_lossy(), &rendered);
        seen += 1;
    }
    assert!(seen >= 16, "{seen} overlays");
    let component = file("deploy/kustomize/prometheus/prometheus.yml");
    let overlay = ground.kubectl(&["kustomize", &file("deploy/kustomize/kubernetes").to_string_lossy()]);
    let all = objects(&overlay);
    let config = all.iter().find(|it| it["kind"] == "ConfigMap").unwrap();
    assert_eq!(
        text(&config["data"]["prometheus.yml"]),
        fs::read_to_string(component).unwrap()
    );
    let charted = objects(&render("aviary", "aviary", HOME, &["--set", "prometheus.install=true"]));
    let charted = pick(&charted, "ConfigMap", "aviary-prometheus").unwrap();
    assert_eq!(
        text(&charted["data"]["prometheus.yml"]).trim(),
        text(&config["data"]["prometheus.yml"]).trim()
    );
}

/// `kubectl apply -k` of an overlay, and the load tester beside it.
async fn works_with_an_overlay(ground: &Ground) {
    let lab = ground.lab();
    let room = lab.room("overlaid").await;
    let prometheus = Prometheus::start(lab, BTreeMap::from([(room.name.clone(), 0)])).await;
    ground.kubectl(&["delete", "namespace", HOME, "--wait"]);
    for name in ["gatewayapi", "tester"] {
        let folder = file("deploy/kustomize").join(name);
        ground.kubectl(&[
            "apply",
            "--server-side",
            "--force-conflicts",
            "-k",
            &folder.to_string_lossy(),
        ]);
    }
    let server = format!("METRICS_SERVER={}", prometheus.url);
    ground.kubectl(&["-n", HOME, "set", "env", "deployment/aviary", &server]);
    for (namespace, name) in [
        (HOME, "aviary"),
        (HOME, "aviary-prometheus"),
        ("test", "flagger-loadtester"),
    ] {
        let target = format!("deployment/{name}");
        ground.kubectl(&["-n", namespace, "rollout", "status", &target, "--timeout=90s"]);
    }
    let controller = chores::controller(lab, HOME, "aviary").await;
    chores::begin(&room).await;
    chores::release(&room).await;
    let ended = controller.terminate(STOP).await;
    assert!(ended.success(), "{ended}");
    no_refusals(ground, |_| false);
    let services = items(lab.get("/api/v1/namespaces/test/services").await);
    assert!(
        services
            .iter()
            .any(|it| it["metadata"]["name"] == "flagger-loadtester" && it["spec"]["ports"][0]["port"] == 80)
    );
}
