{{/* The chart holds several programs: each has a name of its own beside the release's. */}}
{{- define "prometheus.fullname" -}}
{{- $name := printf "%s-prometheus" .Release.Name -}}
{{- if gt (len $name) 52 -}}
{{- fail (printf "the release name %q makes the name %q, longer than 52 characters: choose a shorter release name" .Release.Name $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "prometheus.selector" -}}
app.kubernetes.io/name: prometheus
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "prometheus.labels" -}}
{{ include "prometheus.selector" . }}
app.kubernetes.io/part-of: eventline
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}
