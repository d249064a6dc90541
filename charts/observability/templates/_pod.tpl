{{/* What the three programs' pods have in common. All take the root with `part` (see _parts.tpl), first or under `root`. */}}

{{/* A Deployment down to its containers: (dict "root" $part "user" 65534 "checksum" "...", "token" true). */}}
{{- define "observability.deployment" -}}
{{- $root := .root -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "part.fullname" $root }}
  labels: {{- include "part.labels" $root | nindent 4 }}
spec:
  # Two would write one volume.
  replicas: 1
  strategy: {type: Recreate}
  revisionHistoryLimit: 3
  selector:
    matchLabels: {{- include "part.selector" $root | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "part.selector" $root | nindent 8 }}
        app.kubernetes.io/part-of: eventline
        {{- with $root.Values.podLabels }}{{ toYaml . | nindent 8 }}{{ end }}
      annotations:
        checksum/config: {{ .checksum | sha256sum }}
        {{- with $root.Values.podAnnotations }}{{ toYaml . | nindent 8 }}{{ end }}
    spec:
      {{- if .token }}
      serviceAccountName: {{ include "part.fullname" $root }}
      {{- end }}
      automountServiceAccountToken: {{ .token | default false }}
      enableServiceLinks: false
      {{- with $root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: {{ .user }}
        runAsGroup: {{ .user }}
        fsGroup: {{ .user }}
        fsGroupChangePolicy: OnRootMismatch
        seccompProfile: {type: RuntimeDefault}
      {{- with $root.Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end -}}

{{/* A container's name, image, rights and resources. */}}
{{- define "observability.container" -}}
{{- $values := index .Values .part -}}
name: {{ .part }}
image: {{ include "part.image" $values.image }}
imagePullPolicy: {{ $values.image.pullPolicy }}
resources: {{- toYaml $values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Its probes, by the paths of readiness and liveness. */}}
{{- define "observability.probes" -}}
readinessProbe:
  httpGet: {path: {{ index . 0 }}, port: http}
  periodSeconds: 3
  timeoutSeconds: 5
livenessProbe:
  httpGet: {path: {{ index . 1 }}, port: http}
  initialDelaySeconds: 30
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}

{{/* The volume `data`. */}}
{{- define "observability.data" -}}
{{- $persistence := (index .Values .part).persistence -}}
- name: data
  {{- if $persistence.enabled }}
  persistentVolumeClaim: {claimName: {{ include "part.fullname" . }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ $persistence.size }}}
  {{- end }}
{{- end -}}

{{- define "observability.claim" -}}
{{- $persistence := (index .Values .part).persistence -}}
{{- if $persistence.enabled }}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ include "part.fullname" . }}
  labels: {{- include "part.labels" . | nindent 4 }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with $persistence.storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests: {storage: {{ $persistence.size }}}
{{- end }}
{{- end -}}

{{/* The Service: (list $part 9090). */}}
{{- define "observability.service" -}}
{{- $root := index . 0 -}}
{{- $service := (index $root.Values $root.part).service -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "part.fullname" $root }}
  labels: {{- include "part.labels" $root | nindent 4 }}
spec:
  type: {{ $service.type }}
  selector: {{- include "part.selector" $root | nindent 4 }}
  ports:
    - name: http
      port: {{ index . 1 }}
      targetPort: http
      {{- if and (eq $service.type "NodePort") $service.nodePort }}
      nodePort: {{ $service.nodePort }}
      {{- end }}
{{- end -}}

{{/* A NetworkPolicy down to its rules: people may come in by HTTP, names may be asked for. */}}
{{- define "observability.networkpolicy" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "part.fullname" . }}
  labels: {{- include "part.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "part.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    # People, and the neighbours.
    - ports: [{port: http, protocol: TCP}]
  egress:
    - to:
        - namespaceSelector:
            matchLabels: {kubernetes.io/metadata.name: kube-system}
      ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end -}}

{{/* A rule to the pods of a neighbour: (list $part "alertmanager" "http"). */}}
{{- define "observability.to" -}}
- to:
    - podSelector:
        matchLabels:
          app.kubernetes.io/name: {{ index . 1 }}
          app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
  ports: [{port: {{ index . 2 }}, protocol: TCP}]
{{- end -}}
