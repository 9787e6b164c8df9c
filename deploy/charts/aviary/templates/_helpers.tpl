{{/* Name of the chart, for labels. */}}
{{- define "aviary.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of all objects: as Flagger's chart makes it. */}}
{{- define "aviary.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (default .Chart.Name .Values.nameOverride) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (default .Chart.Name .Values.nameOverride) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "aviary.selector" -}}
app.kubernetes.io/name: {{ include "aviary.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "aviary.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "aviary.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "aviary.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "aviary.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* An image of Flagger does not know our command line, and would act beside us. */}}
{{- define "aviary.image" -}}
{{- $repository := .Values.image.repository -}}
{{- if regexMatch "(^|/)flagger$" $repository -}}
{{- fail (printf "image.repository %s is Flagger's: set it to where you have pushed Aviary's image" $repository) -}}
{{- end -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{/* The rights that the code uses, kept in one place: deploy/kustomize/base/rbac.yaml. In one namespace those of the cluster are left out. */}}
{{- define "aviary.rules" -}}
{{- $role := first (splitList "\n---\n" (.Files.Get "files/rbac.yaml")) | fromYaml -}}
{{- range $rule := $role.rules }}
{{- if not (and $.Values.namespace (has "apiextensions.k8s.io" $rule.apiGroups)) }}
- {{ toYaml $rule | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where the Lease is: with one namespace there, as with Flagger. */}}
{{- define "aviary.leaseNamespace" -}}
{{- .Values.namespace | default .Values.leaderElection.namespace | default .Release.Namespace -}}
{{- end -}}

{{- define "aviary.slackProxy" -}}
{{- .Values.slack.proxyUrl | default .Values.slack.proxy | default "" -}}
{{- end -}}

{{- define "aviary.teamsProxy" -}}
{{- .Values.msteams.proxyUrl | default (index .Values.msteams "proxy-url") | default "" -}}
{{- end -}}

{{/* Variables with secrets, by name, as YAML; empty ones are left out. */}}
{{- define "aviary.secrets" -}}
{{- $all := dict
  "SLACK_URL" .Values.slack.url
  "SLACK_TOKEN" .Values.slack.token
  "SLACK_PROXY_URL" (include "aviary.slackProxy" .)
  "MSTEAMS_URL" .Values.msteams.url
  "MSTEAMS_PROXY_URL" (include "aviary.teamsProxy" .)
  "EVENT_WEBHOOK_URL" .Values.eventWebhook -}}
{{- range $name, $value := $all }}
{{- if $value }}
{{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "aviary.metricsServer" -}}
{{- if .Values.prometheus.install -}}
http://{{ include "aviary.fullname" . }}-prometheus:9090
{{- else -}}
{{- .Values.metricsServer -}}
{{- end -}}
{{- end -}}

{{- define "aviary.args" -}}
- controller
- -log-level={{ .Values.logLevel }}
- -port={{ .Values.port }}
{{- with .Values.meshProvider }}
- -mesh-provider={{ . }}
{{- end }}
- -metrics-server={{ include "aviary.metricsServer" . }}
- -enable-config-tracking={{ .Values.configTracking.enabled }}
- -slack-user={{ .Values.slack.user }}
{{- with .Values.slack.channel }}
- -slack-channel={{ . }}
{{- end }}
{{- range $flag, $value := dict
  "namespace" .Values.namespace
  "selector-labels" .Values.selectorLabels
  "ingress-annotations-prefix" .Values.ingressAnnotationsPrefix
  "ingress-class" .Values.ingressClass
  "include-label-prefix" .Values.includeLabelPrefix
  "threadiness" .Values.threadiness
  "kubeconfig-qps" .Values.kubeconfigQPS
  "kubeconfig-burst" .Values.kubeconfigBurst
  "control-loop-interval" .Values.controlLoopInterval
  "cluster-name" .Values.clusterName }}
{{- if $value }}
- {{ printf "-%s=%v" $flag $value | quote }}
{{- end }}
{{- end }}
{{- if .Values.noCrossNamespaceRefs }}
- -no-cross-namespace-refs=true
{{- end }}
{{- if .Values.leaderElection.enabled }}
- -enable-leader-election=true
- -leader-election-namespace={{ include "aviary.leaseNamespace" . }}
{{- end }}
{{- if .Values.controlplane.kubeconfig.secretName }}
- -kubeconfig-service-mesh=/tmp/controlplane/{{ .Values.controlplane.kubeconfig.key }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end -}}
