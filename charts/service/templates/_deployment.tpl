{{/* The program itself. Ready pods are never fewer than asked for: a new one is ready before an old one goes. */}}

{{- define "service.deployment" -}}
{{- include "service.checks" . -}}
{{- $sqlite := include "service.sqlite" . -}}
{{- $files := include "service.files" . -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "service.metadata" . | nindent 2 }}
spec:
  {{- if not (.Values.autoscaling).enabled }}
  replicas: {{ .Values.replicas | default 1 }}
  {{- end }}
  revisionHistoryLimit: 3
  selector:
    matchLabels:
      {{- include "service.selector" (list . "") | nindent 6 }}
  strategy:
    {{- if $sqlite }}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
    {{- end }}
  template:
    metadata:
      labels:
        {{- include "service.labels" (list . "") | nindent 8 }}
        {{- include "service.clients" . | nindent 8 }}
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        checksum/config: {{ printf "%s%s" (include "service.environment" .) (include "service.secretdata" .) | sha256sum }}
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "service.fullname" . }}
      {{- include "service.pod.security" . | nindent 6 }}
      terminationGracePeriodSeconds: 40
      {{- if not $sqlite }}
      topologySpreadConstraints:
        {{- range .Values.topologySpreadConstraints }}
        - {{- merge . (include "service.spread.selected" $ | fromYaml) | toYaml | nindent 10 }}
        {{- else }}
        {{- include "service.spread" (list . "topology.kubernetes.io/zone") | nindent 8 }}
        {{- include "service.spread" (list . "kubernetes.io/hostname") | nindent 8 }}
        {{- end }}
      {{- end }}
      {{- range $key := list "nodeSelector" "tolerations" "affinity" }}
      {{- with index $.Values $key }}
      {{ $key }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      containers:
        - name: {{ .Chart.Name }}
          {{- include "service.container" . | nindent 10 }}
          {{- if not (include "service.api" .) }}
          args: [probe]
          {{- end }}
          ports:
            {{- if include "service.api" . }}
            - name: http
              containerPort: 8080
            {{- end }}
            - name: metrics
              containerPort: 9464
          envFrom:
            - configMapRef:
                name: {{ include "service.fullname" . }}
          {{- with include "service.env" . | trim }}
          env:
            {{- . | nindent 12 }}
          {{- end }}
          {{- include "service.probes" . | nindent 10 }}
          volumeMounts:
            {{- include "service.mounts" $files | nindent 12 }}
            {{- if $sqlite }}
            - name: data
              mountPath: /data
            {{- end }}
            {{- with include "service.extra" (list . "extraVolumeMounts") | trim }}
            {{- . | nindent 12 }}
            {{- end }}
      volumes:
        {{- include "service.volumes" $files | nindent 8 }}
        {{- if $sqlite }}
        - name: data
          persistentVolumeClaim:
            claimName: {{ .Values.persistence.existingClaim | default (include "service.fullname" .) }}
        {{- end }}
        {{- with include "service.extra" (list . "extraVolumes") | trim }}
        {{- . | nindent 8 }}
        {{- end }}
{{- end -}}

{{/* Start: over within ten minutes, the wait for the database included. Alive: the loops move. Ready: nothing lacks. */}}
{{- define "service.probes" -}}
startupProbe:
  httpGet: {path: /startupz, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 300
livenessProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 2
{{- end -}}

{{- define "service.spread" -}}
- maxSkew: 1
  topologyKey: {{ index . 1 }}
  whenUnsatisfiable: ScheduleAnyway
  {{- include "service.spread.selected" (index . 0) | nindent 2 }}
{{- end -}}

{{/* The pods that a constraint counts, where it names none: those of one version. */}}
{{- define "service.spread.selected" -}}
matchLabelKeys: [pod-template-hash]
labelSelector:
  matchLabels:
    {{- include "service.selector" (list . "") | nindent 4 }}
{{- end -}}

{{/* The labels by which the broker's and the database's own policies let a pod in. */}}
{{- define "service.clients" -}}
{{- if .Values.kafka }}
eventline/kafka-client: "true"
{{- end }}
{{- if and .Values.database (not (include "service.sqlite" .)) }}
eventline/postgres-client: "true"
{{- end }}
{{- end -}}
