//! Every value that a user may set, and every overlay, before the API server.

use serde_json::{Value, json};
use std::{fs, process::Command};

use super::{
    Ground, HOME, attempt, file, lint, objects, pick, render, shared,
    values::{DOCUMENTED, OWN, PEERS, REFUSED, Row},
};
use crate::{
    cluster::{kinds, lab::text},
    companions,
};

/// What the API server says of pods that are not "restricted", in namespaces that want to be warned of them.
const VIOLATES: &str = "would violate PodSecurity";

/// Kinds that charts and overlays write for others: their real definitions where they are at hand.
pub(crate) async fn others_kinds(ground: &Ground) {
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
    for namespace in [HOME, "flagger-system", "kube-system", "test"] {
        let label = "pod-security.kubernetes.io/warn=restricted";
        ground.kubectl(&["label", "namespace", namespace, label]);
    }
}

/// Every row renders, passes the linter, and is taken by the API server, field by field.
pub(crate) fn all_values(ground: &Ground) {
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
    let warnings = ground.would_apply(&format!("{what}, {name} {options:?}"), &rendered);
    let chosen = options.iter().any(|it| it.contains("securityContext.enabled=false"));
    assert!(chosen || !warnings.contains(VIOLATES), "{options:?}: {warnings}");
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

/// Values of the controller's chart that become arguments.
const ARGUMENTS: [(&str, &str); 14] = [
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
];

/// Values that become secret variables, and not arguments.
const SECRETS: [(&str, &str, &str); 7] = [
    (
        "slack.url=https://hooks.slack.com/a",
        "SLACK_URL",
        "https://hooks.slack.com/a",
    ),
    ("slack.proxy=proxy-1", "SLACK_PROXY_URL", "proxy-1"),
    ("slack.proxyUrl=proxy-2", "SLACK_PROXY_URL", "proxy-2"),
    ("slack.token=xoxb-3", "SLACK_TOKEN", "xoxb-3"),
    (
        "msteams.url=https://outlook.office.com/a",
        "MSTEAMS_URL",
        "https://outlook.office.com/a",
    ),
    ("msteams.proxy-url=proxy-4", "MSTEAMS_PROXY_URL", "proxy-4"),
    (
        "eventWebhook=http://example.com/a",
        "EVENT_WEBHOOK_URL",
        "http://example.com/a",
    ),
];

/// The controller's Deployment under these values, and all that is rendered with it.
fn rendered(options: &[&str]) -> (Value, Vec<Value>) {
    let all = objects(&render("aviary", "aviary", HOME, options));
    (pick(&all, "Deployment", "aviary").unwrap().clone(), all)
}

/// Values arrive where they should.
fn what_the_values_mean() {
    let container = |deployment: &Value| deployment["spec"]["template"]["spec"]["containers"][0].clone();
    for (option, wanted) in ARGUMENTS {
        let arguments = container(&rendered(&["--set", option]).0)["args"].clone();
        let found = arguments.as_array().unwrap().contains(&json!(wanted));
        assert!(found, "{option}: {arguments}");
    }
    let without = container(&rendered(&[]).0)["args"].to_string();
    assert!(!without.contains("-mesh-provider"), "{without}");
    for (option, variable, value) in SECRETS {
        let (deployment, all) = rendered(&["--set", option]);
        let secret = pick(&all, "Secret", "aviary-addresses").unwrap();
        assert_eq!(secret["stringData"], json!({variable: value}));
        let from =
            json!([{"name": variable, "valueFrom": {"secretKeyRef": {"name": "aviary-addresses", "key": variable}}}]);
        assert_eq!(container(&deployment)["env"], from);
        assert!(!deployment.to_string().contains(value), "{option}: {deployment}");
    }
    let (single, _) = rendered(&["--set", "leaderElection.enabled=false,leaderElection.replicaCount=3"]);
    assert_eq!(
        (&single["spec"]["replicas"], &single["spec"]["strategy"]["type"]),
        (&json!(1), &json!("Recreate"))
    );
    let (_, denying) = rendered(&["--set", "policies.deny=true"]);
    let binding = pick(&denying, "ValidatingAdmissionPolicyBinding", "aviary-canaries").unwrap();
    assert_eq!(binding["spec"]["validationActions"], json!(["Deny", "Audit"]));
    rights();
}

/// The rights are those of the base; in one namespace without what belongs to the cluster.
fn rights() {
    let rules = |all: &[Value], kind: &str| pick(all, kind, "aviary").map(|role| role["rules"].clone());
    let base = objects(&fs::read_to_string(file("deploy/kustomize/base/rbac.yaml")).unwrap());
    let base = rules(&base, "ClusterRole").unwrap();
    let (_, whole) = rendered(&[]);
    assert_eq!(rules(&whole, "ClusterRole").unwrap(), base);
    let (_, one) = rendered(&["--set", "namespace=test"]);
    assert_eq!(rules(&one, "ClusterRole"), None);
    let mut kept = base.as_array().unwrap().clone();
    kept.retain(|rule| rule["apiGroups"] != json!(["apiextensions.k8s.io"]));
    assert_eq!(rules(&one, "Role").unwrap(), Value::Array(kept));
}

/// Every overlay is taken; what they say of providers and metrics is in the Deployment.
pub(crate) fn overlays(ground: &Ground) {
    let mut seen = 0;
    for entry in fs::read_dir(file("deploy/kustomize")).unwrap() {
        let folder = entry.unwrap().path();
        let text = fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
        if text.contains("kind: Component") {
            continue;
        }
        let rendered = ground.kubectl(&["kustomize", &folder.to_string_lossy()]);
        let warnings = ground.would_apply(&folder.to_string_lossy(), &rendered);
        assert!(!warnings.contains(VIOLATES), "{}: {warnings}", folder.display());
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
