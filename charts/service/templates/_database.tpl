{{/* Where a service keeps its rows: the chart's `database`, else `global.database`, else the release's PostgreSQL. */}}

{{- define "service.sqlite" -}}
{{- if eq ((.Values.database).kind | default "") "sqlite" }}yes{{ end -}}
{{- end -}}

{{- define "service.database" -}}
{{- $own := include "service.neighbour" (list . "postgres") -}}
{{- $database := include "service.merged" (list (dict "host" $own "port" 5432) (.Values.global).database .Values.database) | fromYaml -}}
{{- $external := ne $database.host $own -}}
{{- $_ := set $database "external" $external -}}
{{- $_ := set $database "sslMode" ($database.sslMode | default (ternary "verify-full" "disable" $external)) -}}
{{- $_ := set $database "secret" ($database.existingSecret | default (printf "%s-%s" $own .Chart.Name)) -}}
{{- if .Values.database.password -}}
{{- $_ := set $database "secret" (include "service.ownsecret" .) -}}
{{- end -}}
{{- $_ := set $database "caSecret" ($database.caSecret | default $database.secret) -}}
{{- $_ := set $database "verified" (hasPrefix "verify" $database.sslMode) -}}
{{- toYaml $database -}}
{{- end -}}

{{- define "service.database.environment" -}}
{{- if include "service.sqlite" . -}}
APP_DATABASE_URL: sqlite:////data/{{ .Chart.Name }}.db
{{- else -}}
{{- $database := include "service.database" . | fromYaml -}}
{{- $trust := ternary "&sslrootcert=/etc/eventline/database-ca/ca.crt" "" $database.verified -}}
APP_DATABASE_URL: {{ printf "postgresql+psycopg://%s@%s:%v/%s?sslmode=%s%s" (urlquery $database.user) $database.host $database.port (urlquery $database.name) $database.sslMode $trust | quote }}
APP_DATABASE_MIGRATE: "false"
{{- end }}
{{- end -}}

{{- define "service.database.secrets" -}}
{{- if not (include "service.sqlite" .) }}
{{ include "service.secretvalue" (list "APP_DATABASE_PASSWORD" (include "service.database" . | fromYaml).secret "password") }}
{{- end }}
{{- end -}}

{{- define "service.database.files" -}}
{{- if not (include "service.sqlite" .) }}
{{- $database := include "service.database" . | fromYaml }}
{{- if $database.verified }}
database-ca: {secret: {{ $database.caSecret }}, items: {ca.crt: ca.crt}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.database.checks" -}}
{{- $sqlite := include "service.sqlite" . -}}
{{- if and $sqlite (not .Values.persistence.enabled) -}}
{{- fail "persistence.enabled=false with database.kind=sqlite: every event would be lost with the pod; write persistence.enabled=true, or database.kind=postgresql" -}}
{{- end -}}
{{- if and $sqlite (gt (int .Values.replicas) 1) -}}
{{- fail (printf "replicas=%d with database.kind=sqlite: one file has one writer; write replicas=1, or database.kind=postgresql" (int .Values.replicas)) -}}
{{- end -}}
{{- if and $sqlite (.Values.autoscaling).enabled -}}
{{- fail "autoscaling.enabled=true with database.kind=sqlite: one file has one writer; write autoscaling.enabled=false, or database.kind=postgresql" -}}
{{- end -}}
{{- if and .Values.persistence.enabled (not $sqlite) -}}
{{- fail "persistence.enabled=true has no meaning with database.kind=postgresql: remove it, or write database.kind=sqlite" -}}
{{- end -}}
{{- if and (.Values.autoscaling).enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail (printf "autoscaling.minReplicas=%d is above autoscaling.maxReplicas=%d" (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if and .Values.database.password .Values.database.existingSecret -}}
{{- fail "database.password and database.existingSecret are both given: give one" -}}
{{- end -}}
{{- end -}}
