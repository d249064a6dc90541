{{/* The Secrets that a Job creates in the cluster, a line each: those whose password no value gives. */}}
{{- define "postgres.generated" -}}
{{- $name := include "part.fullname" . -}}
{{- range $database, $secret := merge (dict "" .Values.superuser) .Values.databases }}
{{- if not (or $secret.password $secret.existingSecret) }}
{{ compact (list $name $database) | join "-" }}:password
{{- end }}
{{- end }}
{{- end -}}
