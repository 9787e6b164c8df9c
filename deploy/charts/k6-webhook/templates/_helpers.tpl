{{- define "k6.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name: `helm upgrade -i k6-loadtester` makes the Service k6-loadtester, as grafana's chart does. */}}
{{- define "k6.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "k6.selector" -}}
app.kubernetes.io/name: {{ include "k6.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "k6.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "k6.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "k6.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "k6.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "k6.secret" -}}
{{- default (include "k6.fullname" .) .Values.webhook.name -}}
{{- end -}}

{{- define "k6.image" -}}
{{- $repository := .Values.image.repository -}}
{{- if regexMatch "(^|/)flagger-k6-webhook$" $repository -}}
{{- fail (printf "image.repository %s is grafana's: set it to where you have pushed Aviary's image" $repository) -}}
{{- end -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
