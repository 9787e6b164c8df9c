{{- define "loadtester.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name, as hooks of the documents have it: http://flagger-helmtester.kube-system/. */}}
{{- define "loadtester.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "loadtester.selector" -}}
app.kubernetes.io/name: {{ include "loadtester.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "loadtester.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "loadtester.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{- define "loadtester.makesAccount" -}}
{{- if and (not .Values.serviceAccountName) (or .Values.rbac.create .Values.gates.shared) }}yes{{ end -}}
{{- end -}}

{{- define "loadtester.account" -}}
{{- if .Values.serviceAccountName -}}
{{- .Values.serviceAccountName -}}
{{- else if include "loadtester.makesAccount" . -}}
{{- include "loadtester.fullname" . -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{- define "loadtester.image" -}}
{{- $repository := .Values.image.repository -}}
{{- if regexMatch "(^|/)flagger-loadtester$" $repository -}}
{{- fail (printf "image.repository %s is Flagger's: set it to where you have pushed Aviary's image" $repository) -}}
{{- end -}}
{{- printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
