{{/* The Secret of Grafana's administrator. */}}
{{- define "observability.admin" -}}
{{- .Values.grafana.existingSecret | default (printf "%s-admin" (include "observability.neighbour" (list . "grafana"))) -}}
{{- end -}}

{{/* The Secret that a Job creates in the cluster, if no value gives the password. */}}
{{- define "observability.generated" -}}
{{- if and .Values.grafana.enabled (not (or .Values.grafana.adminPassword .Values.grafana.existingSecret)) }}
{{ include "observability.admin" . }}:admin-user=admin,admin-password
{{- end }}
{{- end -}}

{{/* Its name in releases before 0.2, which Helm deletes in an upgrade: the Job copies what it holds. */}}
{{- define "observability.copied" -}}
{{- if include "observability.generated" . }}
{{ include "observability.admin" . }}={{ include "observability.neighbour" (list . "grafana") }}
{{- end }}
{{- end -}}
