{{/* What one chart cannot see: a part that is switched off must be named elsewhere. */}}
{{- define "eventline.checks" -}}
{{- $global := .Values.global -}}
{{- if not (or .Values.kafka.enabled $global.kafka.bootstrapServers) -}}
{{- fail "kafka.enabled=false, and global.kafka.bootstrapServers is empty: name your brokers, such as kafka.example.com:9093" -}}
{{- end -}}
{{- if and .Values.witness.enabled (not .Values.witness.keys.existingSecret) -}}
{{- fail "witness.enabled=true, and witness.keys.existingSecret is empty: charts/witness/README.md has the commands that make it" -}}
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
