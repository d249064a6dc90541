{{/* What one chart cannot see: a part that is switched off must be named elsewhere. */}}
{{- define "eventline.checks" -}}
{{- $global := .Values.global -}}
{{- if not (or .Values.kafka.enabled $global.kafka.bootstrapServers) -}}
{{- fail "kafka.enabled=false, and global.kafka.bootstrapServers is empty: name your brokers, such as kafka.example.com:9093" -}}
{{- end -}}
{{- $audit := (.Values.audit.keys).existingSecret -}}
{{- $witness := (.Values.witness.keys).existingSecret -}}
{{- if $global.keys.generate -}}
{{- if and (not .Values.witness.enabled) (not $audit) -}}
{{- fail "global.keys.generate=true makes keys for a log and its witness, but witness.enabled=false: name audit.keys.existingSecret, or write global.keys.generate=false, and nothing is signed" -}}
{{- end -}}
{{- if and .Values.witness.enabled (ne (empty $audit) (empty $witness)) -}}
{{- fail "of audit.keys.existingSecret and witness.keys.existingSecret one is named, and each holds the other's public key: name both, or none" -}}
{{- end -}}
{{- end -}}
{{/* Every part that has a database of its own is a service. */}}
{{- range $name, $part := omit .Values "global" -}}
{{- $database := $part.database -}}
{{- if and $database (not (or $.Values.postgres.enabled $global.database.host $database.host (eq $database.kind "sqlite"))) -}}
{{- fail (printf "postgres.enabled=false, and neither global.database.host nor %s.database.host is given: name your server, or write %s.database.kind=sqlite with %s.persistence.enabled=true" $name $name $name) -}}
{{- end -}}
{{- end -}}
{{- if not (or .Values.mail.enabled .Values.notification.smtp.host) -}}
{{- fail "mail.enabled=false, and notification.smtp.host is empty: name your mail server" -}}
{{- end -}}
{{- $alertmanager := .Values.observability.alertmanager -}}
{{- if and .Values.observability.enabled $alertmanager.enabled (not .Values.mail.enabled) (not (or $alertmanager.email.smarthost $alertmanager.config $alertmanager.existingSecret)) -}}
{{- fail "mail.enabled=false, and observability.alertmanager.email.smarthost is empty: name your mail server, receivers of your own under observability.alertmanager.config, or write observability.alertmanager.enabled=false" -}}
{{- end -}}
{{- end -}}
