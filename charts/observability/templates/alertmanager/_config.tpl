{{/* alertmanager.yml: the values laid over files/alertmanager.yml, which docker compose uses as it is. */}}
{{- define "alertmanager.config" -}}
{{- if .Values.alertmanager.config -}}
{{- toYaml .Values.alertmanager.config -}}
{{- else -}}
{{- $email := .Values.alertmanager.email -}}
{{- $config := .Files.Get "files/alertmanager.yml" | fromYaml -}}
{{- $smtp := dict "smtp_from" $email.from "smtp_smarthost" $email.smarthost "smtp_require_tls" $email.requireTls -}}
{{- if not $email.smarthost -}}
{{- $_ := set $smtp "smtp_smarthost" (printf "%s:1025" (include "observability.neighbour" (list . "mail"))) -}}
{{- $_ := set $smtp "smtp_require_tls" false -}}
{{- end -}}
{{- if $email.username -}}
{{- $_ := set $smtp "smtp_auth_username" $email.username -}}
{{- $_ := set $smtp "smtp_auth_password_file" "/etc/alertmanager/smtp/password" -}}
{{- end -}}
{{- $receiver := first $config.receivers -}}
{{- $mail := first $receiver.email_configs -}}
{{- $_ := set $mail "to" $email.to -}}
{{- $_ := set $config "global" (mergeOverwrite $config.global $smtp) -}}
{{- toYaml $config -}}
{{- end -}}
{{- end -}}
