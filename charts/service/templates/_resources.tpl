{{/* The small kinds around the Deployment. */}}

{{- define "service.service" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "service.metadata" . | nindent 2 }}
spec:
  type: {{ (.Values.service).type | default "ClusterIP" }}
  selector:
    {{- include "service.selector" (list . "") | nindent 4 }}
  ports:
    {{- if include "service.api" . }}
    - name: http
      port: 8080
      targetPort: http
      {{- with .Values.service.httpNodePort }}
      nodePort: {{ . }}
      {{- end }}
    {{- end }}
    - name: metrics
      port: 9464
      targetPort: metrics
      {{- with (.Values.service).metricsNodePort }}
      nodePort: {{ . }}
      {{- end }}
{{- end -}}

{{- define "service.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "service.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{- define "service.poddisruptionbudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "service.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "service.selector" (list . "") | nindent 6 }}
{{- end -}}

{{- define "service.horizontalpodautoscaler" -}}
{{- if .Values.autoscaling.enabled -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "service.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "service.fullname" . }}
  minReplicas: {{ .Values.autoscaling.minReplicas }}
  maxReplicas: {{ .Values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .Values.autoscaling.cpuPercent }}
{{- end }}
{{- end -}}

{{/* It outlives the release: an event store or an audit log is not deleted by the way. */}}
{{- define "service.persistentvolumeclaim" -}}
{{- if and (include "service.sqlite" .) (not .Values.persistence.existingClaim) -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  {{- include "service.metadata" . | nindent 2 }}
  annotations:
    helm.sh/resource-policy: keep
spec:
  accessModes: [ReadWriteOnce]
  {{- with .Values.persistence.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests:
      storage: {{ .Values.persistence.size }}
{{- end }}
{{- end -}}

{{- define "service.servicemonitor" -}}
{{- $monitor := include "service.merged" (list (dict "enabled" "auto" "interval" "15s") (.Values.global).serviceMonitor .Values.serviceMonitor) | fromYaml -}}
{{- $known := .Capabilities.APIVersions.Has "monitoring.coreos.com/v1" -}}
{{- if or (eq $monitor.enabled "always") (and (eq $monitor.enabled "auto") $known) -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  {{- include "service.metadata" . | nindent 2 }}
    {{- with $monitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  # The label `job` is the service's name, as with this project's own Prometheus.
  jobLabel: app.kubernetes.io/name
  selector:
    matchLabels:
      {{- include "service.selector" (list . "") | nindent 6 }}
  endpoints:
    - port: metrics
      path: /metrics
      interval: {{ $monitor.interval }}
{{- end }}
{{- end -}}

{{/* `helm test`: the service answers through its Service and is ready. */}}
{{- define "service.test" -}}
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "service.short" (printf "%s-test" (include "service.fullname" .)) }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "service.labels" (list . "test") | nindent 4 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  restartPolicy: Never
  {{- include "service.pod.security" . | nindent 2 }}
  containers:
    - name: test
      {{- include "service.container" . | nindent 6 }}
      command:
        - python
        - -c
        - |
          import urllib.error, urllib.request
          try:
              print(urllib.request.urlopen("http://{{ include "service.fullname" . }}:9464/readyz", timeout=10).read().decode())
          except urllib.error.HTTPError as error:
              raise SystemExit(f"not ready: {error.read().decode()}")
      volumeMounts:
        - name: tmp
          mountPath: /tmp
  volumes:
    - name: tmp
      emptyDir: {}
{{- end -}}
