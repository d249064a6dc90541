{{/* Where mail goes: the chart's `smtp`, else the mail sink of the same release. Empty in charts that send none. */}}

{{- define "service.smtp" -}}
{{- $own := include "service.neighbour" (list . "mail") -}}
{{- $smtp := include "service.merged" (list (dict "host" $own) .Values.smtp) | fromYaml -}}
{{- $external := ne $smtp.host $own -}}
{{- $_ := set $smtp "external" $external -}}
{{- $_ := set $smtp "port" ($smtp.port | default (ternary 25 1025 $external)) -}}
{{- $_ := set $smtp "tls" ($smtp.tls | default (ternary "starttls" "off" $external)) -}}
{{- toYaml $smtp -}}
{{- end -}}

{{- define "service.smtp.environment" -}}
{{- $smtp := include "service.smtp" . | fromYaml -}}
APP_SMTP_HOST: {{ $smtp.host | quote }}
APP_SMTP_PORT: {{ $smtp.port | quote }}
APP_SMTP_TLS: {{ $smtp.tls | quote }}
{{- if $smtp.caSecret }}
APP_SMTP_CA_FILE: /etc/eventline/smtp-ca/ca.crt
{{- end }}
{{- with $smtp.user }}
APP_SMTP_USER: {{ . | quote }}
{{- end }}
{{- end -}}

{{- define "service.smtp.secrets" -}}
{{- $smtp := include "service.smtp" . | fromYaml -}}
{{- if $smtp.existingSecret }}
{{- if not $smtp.user }}
{{ include "service.secretvalue" (list "APP_SMTP_USER" $smtp.existingSecret "user") }}
{{- end }}
{{ include "service.secretvalue" (list "APP_SMTP_PASSWORD" $smtp.existingSecret "password") }}
{{- else if $smtp.password }}
{{ include "service.secretvalue" (list "APP_SMTP_PASSWORD" (include "service.ownsecret" .) "smtp-password") }}
{{- end }}
{{- end -}}

{{- define "service.smtp.files" -}}
{{- with (include "service.smtp" . | fromYaml).caSecret }}
smtp-ca: {secret: {{ . }}, items: {ca.crt: ca.crt}}
{{- end }}
{{- end -}}

{{- define "service.smtp.checks" -}}
{{- $smtp := include "service.smtp" . | fromYaml -}}
{{- if and $smtp.password $smtp.existingSecret -}}
{{- fail "smtp.password and smtp.existingSecret are both given: give one" -}}
{{- end -}}
{{- if and $smtp.password (not $smtp.user) -}}
{{- fail "smtp.user is empty: smtp.password needs one" -}}
{{- end -}}
{{- if and $smtp.user (not (or $smtp.password $smtp.existingSecret)) -}}
{{- fail "smtp.password is empty: smtp.user needs one, or smtp.existingSecret with the key password" -}}
{{- end -}}
{{- if and (or $smtp.password $smtp.existingSecret) (eq $smtp.tls "off") -}}
{{- fail "smtp.tls=off would send smtp.password in the clear: write starttls or tls" -}}
{{- end -}}
{{- if and $smtp.caSecret (eq $smtp.tls "off") -}}
{{- fail "smtp.caSecret has no meaning with smtp.tls=off: write starttls or tls, or remove it" -}}
{{- end -}}
{{- end -}}
