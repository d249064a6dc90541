{{/*
Work that comes before the pods: (list root "migrate") for a schema, (list root "topics") for the broker's topics, and
with access control for its rights and logins. An
ordinary Job in every release, which waits for the broker or the database, as the new pods wait for it. It is named by
what it runs: a Job cannot be changed, and the same Job need not run twice.
*/}}

{{- define "service.job" -}}
{{- $root := index . 0 -}}
{{- $spec := include "service.job.spec" . -}}
{{- $name := printf "%s-%s" (include "service.fullname" $root) (index . 1) -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ include "service.hashed" (list $name $spec) }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  {{- $spec | nindent 2 }}
{{- end -}}

{{- define "service.job.spec" -}}
{{- $role := index . 1 -}}
{{- $root := eq $role "topics" | ternary (merge (dict "kafkaPrincipal" "topics") (index . 0)) (index . 0) -}}
{{- $needs := eq $role "topics" | ternary "kafka" "database" -}}
{{- $rights := and (eq $role "topics") (include "service.kafka.controlled" $root) -}}
{{- $files := include (printf "service.%s.files" $needs) $root -}}
{{- if $rights -}}
{{- $files = printf "%s\n%s" $files (include "service.kafka.passwords" $root) -}}
{{- end -}}
backoffLimit: 5
template:
  metadata:
    labels:
      {{- include "service.labels" . | nindent 6 }}
      eventline/{{ eq $needs "kafka" | ternary "kafka" "postgres" }}-client: "true"
  spec:
    restartPolicy: Never
    {{- include "service.pod.security" $root | nindent 4 }}
    containers:
      - name: {{ $role }}
        {{- include "service.container" $root | nindent 8 }}
        args: [{{ empty $rights | ternary $role "rights" }}]
        env:
          {{- range $key, $value := include (printf "service.%s.environment" $role) $root | fromYaml }}
          - name: {{ $key }}
            value: {{ $value | quote }}
          {{- end }}
          {{- with include (printf "service.%s.secrets" $needs) $root | trim }}
          {{- . | nindent 10 }}
          {{- end }}
          {{- with include "service.extra" (list $root "extraEnv") | trim }}
          {{- . | nindent 10 }}
          {{- end }}
        volumeMounts:
          {{- include "service.mounts" $files | nindent 10 }}
          {{- with include "service.extra" (list $root "extraVolumeMounts") | trim }}
          {{- . | nindent 10 }}
          {{- end }}
    volumes:
      {{- include "service.volumes" $files | nindent 6 }}
      {{- with include "service.extra" (list $root "extraVolumes") | trim }}
      {{- . | nindent 6 }}
      {{- end }}
{{- end -}}

{{- define "service.migrate.environment" -}}
{{ include "service.database.environment" . }}
APP_MIGRATE_WITHIN: {{ .Values.migrateWithin | quote }}
{{- end -}}

{{- define "service.topics.environment" -}}
{{- $kafka := include "service.kafka" . | fromYaml -}}
{{- $replicas := int (.Values.topics.replicationFactor | default $kafka.replicas | default 1) -}}
{{ include "service.kafka.environment" . }}
{{- include "service.settings.beginning" (list . "kafka") }}
{{- if include "service.kafka.controlled" . }}
APP_RIGHTS_PASSWORDS: /etc/eventline/kafka-passwords
APP_RIGHTS_PREFIX: {{ include "service.kafka.prefix" . | quote }}
{{- end }}
APP_KAFKA_REPLICATION_FACTOR: {{ $replicas | quote }}
APP_KAFKA_MIN_INSYNC_REPLICAS: {{ .Values.topics.minInsyncReplicas | default (gt $replicas 2 | ternary 2 1) | quote }}
APP_DEADLINE: {{ .Values.topics.deadline | quote }}
{{- end -}}

{{/* The passwords of all logins, a file each. */}}
{{- define "service.kafka.passwords" -}}
kafka-passwords:
  sources:
    {{- range .Values.topics.principals }}
    - {secret: {{ include "service.kafka.login" (list $ .) }}, items: {password: {{ . }}}}
    {{- end }}
{{- end -}}

{{- define "service.migration" -}}
{{- if not (include "service.sqlite" .) }}
{{- include "service.job" (list . "migrate") }}
{{- end }}
{{- end -}}

{{- define "service.topics" -}}
{{- if .Values.topics.enabled }}
{{- include "service.job" (list . "topics") }}
{{- end }}
{{- end -}}
