{{/*
The Job that makes the keys of the audit log and its witness, with global.keys.generate: before the release's first
install, and before each upgrade, where it finds both Secrets. It never overwrites one, and no uninstall removes them.
A hook of Helm, which Argo CD runs before a sync.
*/}}

{{/* The Secret of a chart, by its existingSecret or made by the Job: (list root "audit"). */}}
{{- define "service.keys.generated" -}}
{{- $root := index . 0 -}}
{{- if (($root.Values.global).keys).generate -}}
{{- printf "%s-keys" (include "service.neighbour" .) -}}
{{- end -}}
{{- end -}}

{{- define "service.keys.job" -}}
{{- if and (((.Values.global).keys).generate) (not .Values.keys.existingSecret) -}}
{{- $log := include "service.keys.generated" (list . "audit") -}}
{{- $witness := include "service.keys.generated" (list . "witness") -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "service.keys.metadata" (list . "-1") | nindent 2 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "service.keys.metadata" (list . "-1") | nindent 2 }}
rules:
  - apiGroups: [""]
    resources: [secrets]
    verbs: [get]
    resourceNames: [{{ $log }}, {{ $witness }}]
  # A name cannot be demanded here: the object has none yet when this is checked.
  - apiGroups: [""]
    resources: [secrets]
    verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "service.keys.metadata" (list . "-1") | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "service.keys.name" . }}
subjects:
  - kind: ServiceAccount
    name: {{ include "service.keys.name" . }}
    namespace: {{ .Release.Namespace }}
---
{{ if include "service.networkpolicy.enabled" . -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "service.keys.metadata" (list . "-1") | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "service.selector" (list . "keys") | nindent 6 }}
  policyTypes: [Ingress, Egress]
  # The API server, whose address differs from cluster to cluster.
  egress:
    {{- include "service.egress.dns" . | nindent 4 }}
    - ports:
        - port: 443
        - port: 6443
---
{{ end -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "service.keys.metadata" (list . "0") | nindent 2 }}
spec:
  backoffLimit: 5
  template:
    metadata:
      labels:
        {{- include "service.labels" (list . "keys") | nindent 8 }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ include "service.keys.name" . }}
      {{- include "service.pod.security" . | replace "automountServiceAccountToken: false" "automountServiceAccountToken: true" | nindent 6 }}
      containers:
        - name: keys
          {{- include "service.container" . | nindent 10 }}
          args:
            - keys
            - secrets
            - {{ $log }}
            - {{ $witness }}
            - --witness-url=http://{{ include "service.neighbour" (list . "witness") }}:8080
            - --name={{ .Values.settings.auditOrigin | default "eventline.local/audit" }}
          volumeMounts:
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: tmp
          emptyDir:
            medium: Memory
            sizeLimit: 1Mi
{{- end -}}
{{- end -}}

{{- define "service.keys.name" -}}
{{- include "service.short" (printf "%s-keys" (include "service.fullname" .)) -}}
{{- end -}}

{{- define "service.keys.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "service.keys.name" $root }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "service.labels" (list $root "keys") | nindent 2 }}
annotations:
  helm.sh/hook: pre-install,pre-upgrade
  helm.sh/hook-weight: {{ index . 1 | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}
