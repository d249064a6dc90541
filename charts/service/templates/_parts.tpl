{{/* Names, labels and image of upstream programs. kafka, postgres, mail and observability have a link to this file. */}}

{{/* The name of a program: that of its chart, or `part` (with its `version`) if the chart has several. */}}
{{- define "part.name" -}}
{{- .part | default .Chart.Name -}}
{{- end -}}

{{/* Helm's usual rule; refused when a pod's name or its revision label would pass 63 characters. */}}
{{- define "part.fullname" -}}
{{- $part := include "part.name" . -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name $part) (contains $part .Release.Name) -}}
{{- if gt (len $name) 46 -}}
{{- fail (printf "the release name %q makes the name %q, longer than 46 characters: choose a shorter release name" .Release.Name $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "part.selector" -}}
app.kubernetes.io/name: {{ include "part.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "part.labels" -}}
{{ include "part.selector" . }}
app.kubernetes.io/part-of: eventline
app.kubernetes.io/version: {{ .version | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "part.image" -}}
{{ with .registry }}{{ . }}/{{ end }}{{ .repository }}{{ with .digest }}@{{ . }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}
