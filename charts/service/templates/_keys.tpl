{{/* The signing key of a program, with the public keys of others, as files from one Secret that the release never makes. */}}

{{/* The key of the Secret that has the public keys: a witness knows logs, a log has a policy with its witnesses. */}}
{{- define "service.keys.others" -}}
{{- eq .Chart.Name "witness" | ternary "logs" "policy" -}}
{{- end -}}

{{- define "service.keys.environment" -}}
{{- if .Values.keys.existingSecret -}}
{{- $others := include "service.keys.others" . -}}
APP_{{ upper .Chart.Name }}_KEY_FILE: /etc/eventline/keys/key
APP_{{ upper .Chart.Name }}_{{ upper $others }}_FILE: /etc/eventline/keys/{{ $others }}
{{- end -}}
{{- end -}}

{{/* 0400, which the pod's fsGroup makes 0440. */}}
{{- define "service.keys.files" -}}
{{- with .Values.keys.existingSecret }}
{{- $others := include "service.keys.others" $ }}
keys: {secret: {{ . }}, mode: 256, items: {key: key, {{ $others }}: {{ $others }}}}
{{- end }}
{{- end -}}

{{- define "service.keys.checks" -}}
{{- if and (eq .Chart.Name "witness") (not .Values.keys.existingSecret) -}}
{{- fail "keys.existingSecret is empty: a witness needs a Secret with its key and the logs that it knows; the chart's README has the commands" -}}
{{- end -}}
{{- end -}}
