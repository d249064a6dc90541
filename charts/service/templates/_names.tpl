{{/* Names, labels and images. */}}

{{- define "service.fullname" -}}
{{- $full := .Values.fullnameOverride | default (include "service.neighbour" (list . .Chart.Name)) -}}
{{- include "service.short" $full -}}
{{- end -}}

{{/* The name of a Job by what it runs: (list name spec). */}}
{{- define "service.hashed" -}}
{{- include "service.short" (printf "%s-%s" (index . 0) (index . 1 | sha256sum | trunc 8)) -}}
{{- end -}}

{{- define "service.short" -}}
{{- if gt (len .) 63 -}}
{{- fail (printf "fullnameOverride or the release's name: it makes %q of %d characters, and Kubernetes takes 63: choose a shorter one" . (len .)) -}}
{{- end -}}
{{- . -}}
{{- end -}}

{{/* The name of a chart's resources in the same release, by Helm's usual rule: (list root "kafka"). */}}
{{- define "service.neighbour" -}}
{{- $release := (index . 0).Release.Name -}}
{{- $name := index . 1 -}}
{{- contains $name $release | ternary $release (printf "%s-%s" $release $name) -}}
{{- end -}}

{{/* What a pod is found by: (list root "") for the service's own, (list root "migrate") for its job's. */}}
{{- define "service.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ compact (list $root.Chart.Name (index . 1)) | join "-" }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- end -}}

{{- define "service.labels" -}}
{{- $root := index . 0 -}}
{{ include "service.selector" . }}
app.kubernetes.io/part-of: eventline
app.kubernetes.io/version: {{ include "service.tag" $root | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ $root.Chart.Name }}-{{ $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "service.metadata" -}}
name: {{ include "service.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "service.labels" (list . "") | nindent 2 }}
{{- end -}}

{{- define "service.tag" -}}
{{- ((.Values.global).image).tag | default .Values.image.tag -}}
{{- end -}}

{{- define "service.image" -}}
{{- $registry := ((.Values.global).image).registry | default .Values.image.registry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ include "service.tag" . }}{{ end }}
{{- end -}}

{{/* Maps laid over one another, the last named wins; what is empty gives way. */}}
{{- define "service.merged" -}}
{{- $merged := dict -}}
{{- range . }}{{ range $key, $value := . }}{{ if $value }}{{ $_ := set $merged $key $value }}{{ end }}{{ end }}{{ end -}}
{{- toYaml $merged -}}
{{- end -}}

{{/* Whether the chart's program serves HTTP: a service does, the console does not. */}}
{{- define "service.api" -}}
{{- if .Values.database }}yes{{ end -}}
{{- end -}}
