{{/* The signing key of a program, with the public keys of others, as files from one Secret, which the release does not own. */}}

{{/* The key of the Secret that has the public keys: a witness knows logs, a log has a policy with its witnesses. */}}
{{- define "service.keys.others" -}}
{{- eq .Chart.Name "witness" | ternary "logs" "policy" -}}
{{- end -}}

{{/* The Secret: the given one, or that of the Job, see _keysjob.tpl. */}}
{{- define "service.keys.secret" -}}
{{- .Values.keys.existingSecret | default (include "service.keys.generated" (list . .Chart.Name)) -}}
{{- end -}}

{{- define "service.keys.environment" -}}
{{- if include "service.keys.secret" . -}}
{{- $others := include "service.keys.others" . -}}
APP_{{ upper .Chart.Name }}_KEY_FILE: /etc/eventline/keys/key
APP_{{ upper .Chart.Name }}_{{ upper $others }}_FILE: /etc/eventline/keys/{{ $others }}
{{- end -}}
{{- end -}}

{{/* 0400, which the pod's fsGroup makes 0440. */}}
{{- define "service.keys.files" -}}
{{- with include "service.keys.secret" . }}
{{- $others := include "service.keys.others" $ }}
keys: {secret: {{ . }}, mode: 256, items: {key: key, {{ $others }}: {{ $others }}}}
{{- end }}
{{- end -}}

{{- define "service.keys.checks" -}}
{{- if and (eq .Chart.Name "witness") (not (include "service.keys.secret" .)) -}}
{{- fail "keys.existingSecret is empty: a witness needs a Secret with its key and the logs that it knows; the chart's README has the commands" -}}
{{- end -}}
{{- end -}}
