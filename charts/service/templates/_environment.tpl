{{/* Environment of the program: APP_* and OTEL_* in the ConfigMap, secrets by reference, certificates as files. */}}

{{/* `settings.logLevel` is APP_LOG_LEVEL. Numbers come as floats, and 1e+06 is no integer to the program. */}}
{{- define "service.settings" -}}
{{- include "service.settings.beginning" (list . "") -}}
{{- end -}}

{{/* Those whose names begin so: (list root "kafka"). */}}
{{- define "service.settings.beginning" -}}
{{- $beginning := index . 1 -}}
{{- range $key, $value := (index . 0).Values.settings }}
{{- if hasPrefix $beginning $key }}
APP_{{ snakecase $key | upper }}: {{ (kindIs "float64" $value | ternary (printf "%.0f" (float64 (kindIs "float64" $value | ternary $value 0))) (toString $value)) | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.environment" -}}
{{- if .Values.kafka }}
{{ include "service.kafka.environment" . }}
{{- end }}
{{- if .Values.database }}
{{ include "service.database.environment" . }}
{{ include "service.auth.environment" . }}
{{- end }}
{{- if .Values.smtp }}
{{ include "service.smtp.environment" . }}
{{- end }}
{{- if .Values.keys }}
{{ include "service.keys.environment" . }}
{{- end }}
{{- if .Values.tracing }}
{{- include "service.tracing.environment" . }}
{{- end }}
{{- include "service.settings" . }}
{{- end -}}

{{- define "service.secretvalue" -}}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ index . 1 }}
      key: {{ index . 2 }}
{{- end -}}

{{- define "service.secrets" -}}
{{- if .Values.kafka }}{{ include "service.kafka.secrets" . }}{{ end }}
{{- if .Values.database }}{{ include "service.database.secrets" . }}{{ end }}
{{- if .Values.smtp }}{{ include "service.smtp.secrets" . }}{{ end }}
{{- end -}}

{{- define "service.files" -}}
{{- if .Values.kafka }}{{ include "service.kafka.files" . }}{{ end }}
{{- if .Values.database }}{{ include "service.database.files" . }}{{ include "service.auth.files" . }}{{ end }}
{{- if .Values.smtp }}{{ include "service.smtp.files" . }}{{ end }}
{{- if .Values.keys }}{{ include "service.keys.files" . }}{{ end }}
{{- end -}}

{{/* The Secret that is rendered from values. */}}
{{- define "service.ownsecret" -}}
{{- include "service.fullname" . -}}
{{- end -}}

{{- define "service.secretdata" -}}
{{- with (.Values.database).password }}
password: {{ b64enc . }}
{{- end }}
{{- with (.Values.smtp).password }}
smtp-password: {{ b64enc . }}
{{- end }}
{{- end -}}

{{- define "service.checks" -}}
{{- if .Values.kafka }}{{ include "service.kafka.checks" . }}{{ end -}}
{{- if .Values.database }}{{ include "service.database.checks" . }}{{ include "service.auth.checks" . }}{{ end -}}
{{- if .Values.smtp }}{{ include "service.smtp.checks" . }}{{ end -}}
{{- if .Values.keys }}{{ include "service.keys.checks" . }}{{ end -}}
{{- if .Values.tracing }}{{ include "service.tracing.checks" . }}{{ end -}}
{{- include "service.extra.checks" . -}}
{{- include "service.routes.checks" . -}}
{{- include "service.networkpolicy.checks" . -}}
{{- end -}}

{{- define "service.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "service.metadata" . | nindent 2 }}
data:
  {{- include "service.environment" . | nindent 2 }}
{{- end -}}

{{- define "service.secret" -}}
{{- with include "service.secretdata" . }}
apiVersion: v1
kind: Secret
metadata:
  {{- include "service.metadata" $ | nindent 2 }}
type: Opaque
data:
  {{- . | nindent 2 }}
{{- end }}
{{- end -}}
