//! Values that users give to the charts: those of the documents, those that the peer's chart knows, and ours.

/// A release: chart, name, namespace, and the options after it.
pub(crate) type Row = (&'static str, &'static str, &'static str, &'static [&'static str]);

/// `--set` options that the documents show, by release.
pub(crate) const DOCUMENTED: [Row; 12] = [
    (
        "aviary",
        "flagger",
        "flagger-system",
        &["--set", "selectorLabels=my-app-label"],
    ),
    (
        "aviary",
        "flagger",
        "flagger-system",
        &["--set", "configTracking.enabled=false"],
    ),
    (
        "aviary",
        "flagger",
        "flagger-system",
        &[
            "--set",
            "slack.url=https://hooks.slack.com/services/YOUR/SLACK/WEBHOOK",
            "--set",
            "slack.proxy=my-http-proxy.com",
            "--set",
            "slack.channel=some-channel-name",
            "--set",
            "slack.user=flagger",
            "--set",
            "clusterName=my-cluster",
        ],
    ),
    (
        "aviary",
        "flagger",
        "flagger-system",
        &[
            "--set",
            "msteams.url=https://outlook.office.com/webhook/YOUR/TEAMS/WEBHOOK",
            "--set",
            "msteams.proxy-url=my-http-proxy.com",
        ],
    ),
    (
        "aviary",
        "flagger",
        "flagger-system",
        &["--set", "eventWebhook=https://example.com/flagger-canary-event-webhook"],
    ),
    (
        "loadtester",
        "flagger-loadtester",
        "flagger-system",
        &["--set", "cmd.timeout=1h", "--set", "cmd.namespaceRegexp=''"],
    ),
    (
        "loadtester",
        "flagger-helmtester",
        "kube-system",
        &["--set", "serviceAccountName=tiller"],
    ),
    (
        "grafana",
        "flagger-grafana",
        "flagger-system",
        &["--set", "url=http://prometheus:9090"],
    ),
    (
        "k6-webhook",
        "k6-loadtester",
        "flagger-system",
        &[
            "--set",
            "webhook.vars.K6_CLOUD_TOKEN=token",
            "--set",
            "webhook.vars.SLACK_TOKEN=slack_token",
        ],
    ),
    // Without any.
    ("aviary", "aviary", "flagger-system", &[]),
    ("loadtester", "tester", "flagger-system", &[]),
    ("k6-webhook", "k6", "flagger-system", &[]),
];

/// A file as it is written for the peer's charts: with every value that they know.
pub(crate) const PEERS: [(&str, &str); 4] = [
    (
        "aviary",
        r#"
image: {pullPolicy: Always, pullSecret: regcred}
annotations: {team: release}
logLevel: debug
podAnnotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080", appmesh.k8s.aws/sidecarInjectorWebhook: disabled, linkerd.io/inject: enabled}
podLabels: {tier: control}
deploymentLabels: {tier: control}
podPriorityClassName: system-cluster-critical
metricsServer: http://prometheus.istio-system:9090
meshProvider: istio
namespace: ""
selectorLabels: app,name
ingressAnnotationsPrefix: custom.ingress.kubernetes.io
ingressClass: public
eventWebhook: ""
clusterName: production
includeLabelPrefix: app.kubernetes.io
threadiness: 4
configTracking: {enabled: true}
noCrossNamespaceRefs: true
kubeconfigQPS: 200
kubeconfigBurst: "500"
slack: {user: flagger, channel: alerts, url: "https://hooks.slack.com/services/a", proxy: "", proxyUrl: "http://proxy:3128"}
msteams: {url: "https://outlook.office.com/webhook/a", proxyUrl: "http://proxy:3128"}
env:
- name: SLACK_TOKEN
  valueFrom: {secretKeyRef: {name: slack, key: token}}
leaderElection: {enabled: true, replicaCount: 3}
serviceAccount: {create: true, name: releaser, annotations: {iam.gke.io/gcp-service-account: a@b.iam.gserviceaccount.com}}
rbac: {create: true, pspEnabled: true}
crd: {create: true}
linkerdAuthPolicy: {create: true, namespace: flagger-system}
securityContext: {enabled: true, context: {readOnlyRootFilesystem: true, runAsUser: 10001}}
resources: {limits: {memory: 512Mi, cpu: 1000m}, requests: {memory: 32Mi, cpu: 10m}}
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: dedicated, operator: Equal, value: ops, effect: NoSchedule}]
prometheus: {install: true, image: "docker.io/prom/prometheus:v2.41.0", pullSecret: regcred, retention: 2h, securityContext: {enabled: false}}
serviceMonitor: {enabled: true, honorLabels: true, namespace: flagger-system, labels: {release: kps}}
podMonitor: {enabled: true, namespace: flagger-system, interval: 15s, additionalLabels: {release: kps}, honorLabels: true}
podDisruptionBudget: {enabled: true, minAvailable: 1}
controlplane: {kubeconfig: {secretName: mesh-kubeconfig, key: kubeconfig}}
additionalVolumes: [{name: ca, configMap: {name: ca}}]
additionalVolumeMounts: [{name: ca, mountPath: /etc/ssl/extra}]
nameOverride: ""
fullnameOverride: ""
something: {that: we do not know}
"#,
    ),
    (
        "loadtester",
        r#"
replicaCount: 1
image: {pullPolicy: IfNotPresent}
podAnnotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080"}
podPriorityClassName: ""
logLevel: info
cmd: {timeout: 1h, namespaceRegexp: "^test$"}
service: {type: ClusterIP, port: 80}
resources: {requests: {cpu: 10m, memory: 64Mi}}
env: [{name: A, value: b}]
volumes: [{name: tests, configMap: {name: tests}}]
volumeMounts: [{name: tests, mountPath: /bats}]
rbac:
  create: true
  scope: cluster
  rules: [{apiGroups: [""], resources: [pods], verbs: [list, get]}]
  serviceAccountAnnotations: {team: release}
serviceAccountName: ""
meshName: ""
appmesh: {enabled: true, backends: [podinfo, podinfo-canary]}
istio: {enabled: true, host: flagger-loadtester.flagger, gateway: {enabled: true}, tls: {enabled: true, httpsRedirect: true}}
securityContext: {enabled: true, context: {readOnlyRootFilesystem: true, runAsUser: 100, runAsGroup: 101}}
podSecurityContext: {enabled: true, context: {fsGroup: 101, fsGroupChangePolicy: OnRootMismatch}}
podDisruptionBudget: {enabled: true, minAvailable: 1}
"#,
    ),
    (
        "k6-webhook",
        r#"
replicaCount: 1
image: {pullPolicy: Always, tag: ""}
imagePullSecrets: [{name: regcred}]
logLevel: debug
readinessProbe: {httpGet: {path: /health, port: 8000}}
serviceAccount: {create: true, annotations: {}, name: "", rbac: true}
podAnnotations: {}
podSecurityContext: {fsGroup: 65534}
securityContext: {capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true, runAsNonRoot: true, runAsUser: 65534}
service: {type: ClusterIP, port: 8000}
webhook: {name: k6-loadtester, vars: {KUBERNETES_CLIENT: in-cluster, K6_CLOUD_TOKEN: "123", MAX_CONCURRENT_TESTS: 10}}
volumes: []
volumeMounts: []
initContainers: [{name: wait, image: busybox}]
"#,
    ),
    (
        "grafana",
        r#"
replicaCount: 1
image: {repository: docker.io/grafana/grafana, tag: 12.1.0, pullPolicy: IfNotPresent}
service: {type: NodePort, port: 80}
user: admin
password: admin
url: http://prometheus:9090
token: ""
podAnnotations: {}
resources: {limits: {memory: 256Mi}}
"#,
    ),
];

/// What is new in our charts, alone and together.
pub(crate) const OWN: [Row; 14] = [
    (
        "aviary",
        "aviary",
        "flagger-system",
        &["--set", "meshProvider=gatewayapi:v1,namespace=default"],
    ),
    (
        "aviary",
        "aviary",
        "flagger-system",
        &["--set", "leaderElection.enabled=false"],
    ),
    ("aviary", "aviary", "flagger-system", &["--set", "policies.deny=true"]),
    (
        "aviary",
        "aviary",
        "flagger-system",
        &[
            "--set",
            "policies.create=false,rbac.create=false,serviceAccount.create=false,serviceAccount.name=mine",
        ],
    ),
    (
        "aviary",
        "aviary",
        "flagger-system",
        &[
            "--set",
            "prometheus.install=true,prometheusRule.enabled=true,service.enabled=true",
        ],
    ),
    (
        "aviary",
        "aviary",
        "flagger-system",
        &[
            "--set",
            "priorityClass.create=true,networkPolicy.enabled=true,podDisruptionBudget.enabled=true,leaderElection.replicaCount=2",
        ],
    ),
    (
        "aviary",
        "aviary",
        "flagger-system",
        &[
            "--set-json",
            r#"networkPolicy={"enabled":true,"from":[{"namespaceSelector":{}}],"egress":[{"to":[{"ipBlock":{"cidr":"10.0.0.0/8"}}]}]}"#,
        ],
    ),
    (
        "aviary",
        "aviary",
        "flagger-system",
        &[
            "--set",
            "port=9000,controlLoopInterval=5s,slack.token=xoxb,slack.channel=a,extraArgs={-zap-encoding=console}",
            "--set-json",
            r#"envFrom=[{"secretRef":{"name":"more"}}]"#,
        ],
    ),
    (
        "aviary",
        "flagger",
        "flagger-system",
        &["--set", "nameOverride=flagger,leaderElection.namespace=kube-system"],
    ),
    (
        "aviary",
        "a-release-with-a-name-that-is-as-long-as-helm-allows",
        "flagger-system",
        &["--set", "prometheus.install=false"],
    ),
    (
        "loadtester",
        "tester",
        "flagger-system",
        &[
            "--set",
            "replicaCount=2,gates.shared=true,tokenSecretName=token,networkPolicy.enabled=true,cmd.allowCommands=hey,cmd.allowServers=podinfo",
        ],
    ),
    (
        "loadtester",
        "tester",
        "flagger-system",
        &[
            "--set",
            "securityContext.enabled=false,podSecurityContext.enabled=false,rbac.create=true",
        ],
    ),
    (
        "k6-webhook",
        "k6",
        "flagger-system",
        &[
            "--set",
            "networkPolicy.enabled=true,serviceAccount.create=false,extraArgs={--timeout=30m}",
        ],
    ),
    (
        "grafana",
        "dashboards",
        "flagger-system",
        &["--set", "anonymous.enabled=true"],
    ),
];

/// What must be refused, and a word of the reason.
pub(crate) const REFUSED: [(&str, &[&str], &str); 8] = [
    (
        "aviary",
        &["--set", "image.repository=ghcr.io/fluxcd/flagger"],
        "is Flagger's",
    ),
    ("aviary", &["--set", "logLevel=loud"], "logLevel"),
    ("aviary", &["--set", "eventWebhook=not-an-address"], "eventWebhook"),
    ("aviary", &["--set", "leaderElection.replicaCount=many"], "replicaCount"),
    ("aviary", &["--set", "namespace=Two Words"], "namespace"),
    (
        "loadtester",
        &["--set", "image.repository=ghcr.io/fluxcd/flagger-loadtester"],
        "is Flagger's",
    ),
    ("loadtester", &["--set", "replicaCount=2"], "gates.shared"),
    (
        "k6-webhook",
        &["--set", "image.repository=ghcr.io/grafana/flagger-k6-webhook"],
        "is grafana's",
    ),
];
