{{/* Work that comes before the pods: (list root "migrate") for a schema, (list root "topics") for the broker's topics. */}}

{{- define "service.job" -}}
{{- $root := index . 0 -}}
{{- $role := index . 1 -}}
{{- $name := include "service.jobname" . -}}
{{- $needs := eq $role "topics" | ternary "kafka" "database" -}}
{{- $files := include (printf "service.%s.files" $needs) $root -}}
{{- $context := $root -}}
{{- if and (include "service.hook" $root) (include "service.secretdata" $root) -}}
{{- $context = merge (dict "hookSecret" $name) $root -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
  annotations:
    helm.sh/hook: pre-upgrade
    helm.sh/hook-weight: "-1"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
type: Opaque
data:
  {{- include "service.secretdata" $root | nindent 2 }}
---
{{ end -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
  {{- with include "service.hook" $root }}
  {{- . | nindent 2 }}
  {{- end }}
spec:
  backoffLimit: 5
  template:
    metadata:
      labels:
        {{- include "service.labels" . | nindent 8 }}
        eventline/{{ eq $needs "kafka" | ternary "kafka" "postgres" }}-client: "true"
    spec:
      restartPolicy: Never
      {{- include "service.pod.security" $root | nindent 6 }}
      containers:
        - name: {{ $role }}
          {{- include "service.container" $root | nindent 10 }}
          args: [{{ $role }}]
          env:
            {{- range $key, $value := include (printf "service.%s.environment" $role) $root | fromYaml }}
            - name: {{ $key }}
              value: {{ $value | quote }}
            {{- end }}
            {{- with include (printf "service.%s.secrets" $needs) $context | trim }}
            {{- . | nindent 12 }}
            {{- end }}
          volumeMounts:
            {{- include "service.mounts" $files | nindent 12 }}
      volumes:
        {{- include "service.volumes" $files | nindent 8 }}
{{- end -}}

{{/* Set in place: a hook runs before the release's ConfigMap is changed. */}}
{{- define "service.migrate.environment" -}}
{{ include "service.database.environment" . }}
APP_MIGRATE_WITHIN: {{ .Values.migrateWithin | quote }}
{{- end -}}

{{- define "service.topics.environment" -}}
{{- $kafka := include "service.kafka" . | fromYaml -}}
{{- $replicas := int (.Values.topics.replicationFactor | default $kafka.replicas | default 1) -}}
{{ include "service.kafka.environment" . }}
APP_KAFKA_REPLICATION_FACTOR: {{ $replicas | quote }}
APP_KAFKA_MIN_INSYNC_REPLICAS: {{ .Values.topics.minInsyncReplicas | default (gt $replicas 2 | ternary 2 1) | quote }}
APP_DEADLINE: {{ .Values.topics.deadline | quote }}
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
