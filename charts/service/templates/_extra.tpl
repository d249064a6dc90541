{{/* What a user adds to the program's container: variables, volumes and their mounts. Its Jobs get them too. */}}

{{/* Variables: those with secrets, then extraEnv. */}}
{{- define "service.env" -}}
{{- include "service.secrets" . -}}
{{- include "service.extra" (list . "extraEnv") -}}
{{- end -}}

{{/* A list of the user's, or nothing: (list root "extraVolumes"). */}}
{{- define "service.extra" -}}
{{- with index (index . 0).Values (index . 1) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A variable that a value of the chart sets would be set twice, and the ConfigMap would show the other one. */}}
{{- define "service.extra.checks" -}}
{{- $taken := keys (include "service.environment" . | fromYaml) -}}
{{- range include "service.secrets" . | fromYamlArray }}{{ $taken = append $taken .name }}{{ end -}}
{{- range .Values.extraEnv -}}
{{- if has .name $taken -}}
{{- fail (printf "extraEnv names %s, which is set already: give it by the chart's value, or name it once" .name) -}}
{{- end -}}
{{- $taken = append $taken .name -}}
{{- end -}}
{{- end -}}
