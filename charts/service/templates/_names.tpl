{{/* Names, labels and images. */}}

{{- define "service.fullname" -}}
{{- $full := .Values.fullnameOverride | default (include "service.neighbour" (list . .Chart.Name)) -}}
{{- include "service.short" $full -}}
{{- end -}}

{{/* The name of the job of this revision: a job cannot be changed, so each revision has its own. */}}
{{- define "service.jobname" -}}
{{- $root := index . 0 -}}
{{- $name := printf "%s-%s-%v" (include "service.fullname" $root) (index . 1) $root.Release.Revision -}}
{{- include "service.short" $name -}}
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

{{/* Whether an upgrade adds this service: the cluster has Deployments, and not this one. Rendering alone sees none. */}}
{{- define "service.added" -}}
{{- $names := list -}}
{{- range (lookup "apps/v1" "Deployment" .Release.Namespace "").items }}{{ $names = append $names .metadata.name }}{{ end -}}
{{- if and $names (not (has (include "service.fullname" .) $names)) }}yes{{ end -}}
{{- end -}}

{{/* Ordinary on install, for the release brings what the job needs; a hook before an upgrade. */}}
{{- define "service.hook" -}}
{{- if and .Release.IsUpgrade (not (include "service.added" .)) -}}
annotations:
  helm.sh/hook: pre-upgrade
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
{{- end -}}

{{- define "service.tag" -}}
{{- ((.Values.global).image).tag | default .Values.image.tag -}}
{{- end -}}

{{- define "service.image" -}}
{{- $registry := ((.Values.global).image).registry | default .Values.image.registry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .Values.image.repository }}:{{ include "service.tag" . }}
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
