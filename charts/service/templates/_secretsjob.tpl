{{/*
The Jobs that create Secrets in the cluster, so that rendering is a function of values alone: keys of the audit log and
its witness, passwords. Each runs before an install and before each upgrade, creates the Secrets that are missing, and
never overwrites one. Hooks of Helm, which Argo CD runs before a sync; `kubectl apply` makes ordinary Jobs of them.
*/}}

{{/* (dict "root" . "role" "keys" "args" (list …) "secrets" (list of the names that it may read)). */}}
{{- define "service.secretsjob" -}}
{{- $root := .root -}}
{{- $name := include "service.secretsjob.name" . -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "service.secretsjob.metadata" (list . $name "-1") | nindent 2 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "service.secretsjob.metadata" (list . $name "-1") | nindent 2 }}
rules:
  - apiGroups: [""]
    resources: [secrets]
    verbs: [get]
    resourceNames:
      {{- toYaml .secrets | nindent 6 }}
  # A name cannot be demanded here: the object has none yet when this is checked.
  - apiGroups: [""]
    resources: [secrets]
    verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "service.secretsjob.metadata" (list . $name "-1") | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $root.Release.Namespace }}
---
{{ if include "service.networkpolicy.enabled" $root -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "service.secretsjob.metadata" (list . $name "-1") | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "service.selector" (list $root .role) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  # The API server, whose address differs from cluster to cluster.
  egress:
    {{- include "service.egress.dns" $root | nindent 4 }}
    - ports:
        - {port: 443, protocol: TCP}
        - {port: 6443, protocol: TCP}
---
{{ end -}}
{{- $spec := include "service.secretsjob.spec" . -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "service.secretsjob.metadata" (list . (include "service.hashed" (list $name $spec)) "0") | nindent 2 }}
spec:
  {{- $spec | nindent 2 }}
{{- end -}}

{{- define "service.secretsjob.spec" -}}
backoffLimit: 5
template:
  metadata:
    labels:
      {{- include "service.labels" (list .root .role) | nindent 6 }}
  spec:
    restartPolicy: Never
    serviceAccountName: {{ include "service.secretsjob.name" . }}
    {{- include "service.pod.security" .root | replace "automountServiceAccountToken: false" "automountServiceAccountToken: true" | nindent 4 }}
    containers:
      - name: {{ .role }}
        {{- include "service.container" .root | nindent 8 }}
        args:
          {{- toYaml .args | nindent 10 }}
        volumeMounts:
          - name: tmp
            mountPath: /tmp
    volumes:
      - name: tmp
        emptyDir:
          medium: Memory
          sizeLimit: 1Mi
{{- end -}}

{{- define "service.secretsjob.name" -}}
{{- include "service.short" (printf "%s-%s" (include "service.fullname" .root) .role) -}}
{{- end -}}

{{- define "service.secretsjob.metadata" -}}
{{- $job := index . 0 -}}
name: {{ index . 1 }}
namespace: {{ $job.root.Release.Namespace }}
labels:
  {{- include "service.labels" (list $job.root $job.role) | nindent 2 }}
annotations:
  helm.sh/hook: pre-install,pre-upgrade
  helm.sh/hook-weight: {{ index . 2 | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* The Secret of a chart, by its existingSecret or made by the Job: (list root "audit"). */}}
{{- define "service.keys.generated" -}}
{{- $root := index . 0 -}}
{{- if (($root.Values.global).keys).generate -}}
{{- printf "%s-keys" (include "service.neighbour" .) -}}
{{- end -}}
{{- end -}}

{{/* With global.keys.generate: the keys of the audit log and its witness. */}}
{{- define "service.keys.job" -}}
{{- if and (((.Values.global).keys).generate) (not .Values.keys.existingSecret) -}}
{{- $log := include "service.keys.generated" (list . "audit") -}}
{{- $witness := include "service.keys.generated" (list . "witness") -}}
{{- $url := printf "--witness-url=http://%s:8080" (include "service.neighbour" (list . "witness")) -}}
{{- $origin := printf "--name=%s" (.Values.settings.auditOrigin | default "eventline.local/audit") -}}
{{- $args := list "keys" "secrets" $log $witness $url $origin -}}
{{- include "service.secretsjob" (dict "root" . "role" "keys" "args" $args "secrets" (list $log $witness)) -}}
{{- end -}}
{{- end -}}

{{/*
Passwords: (dict "root" . "wanted" (lines NAME:KEY[=VALUE],…) "copies" (lines NEW=OLD)). A Secret of an older name, which a
release of before has, gives its values to that of the new one.
*/}}
{{- define "service.passwords.job" -}}
{{- $args := list "secrets" (printf "--release=%s" .root.Release.Name) -}}
{{- $secrets := list -}}
{{- range .copies | default list -}}
{{- $args = append $args (printf "--copy-from=%s" .) -}}
{{- $secrets = append $secrets (splitList "=" . | last) -}}
{{- end -}}
{{- range .wanted -}}
{{- $args = append $args . -}}
{{- $secrets = append $secrets (splitList ":" . | first) -}}
{{- end -}}
{{- if .wanted -}}
{{- include "service.secretsjob" (dict "root" .root "role" "secrets" "args" $args "secrets" ($secrets | sortAlpha)) -}}
{{- end -}}
{{- end -}}

{{/* What a chart of an upstream program needs for that Job when it is installed alone: the image of the console. */}}
{{- define "service.passwords.alone" -}}
Chart: {Name: {{ .Chart.Name }}, Version: {{ .Chart.Version }}}
Release: {Name: {{ .Release.Name }}, Namespace: {{ .Release.Namespace }}, Service: {{ .Release.Service }}}
Values:
  image:
    {{- toYaml .Values.passwords.image | nindent 4 }}
  networkPolicy: {enabled: {{ .Values.networkPolicy.enabled }}}
  resources: {requests: {cpu: 20m, memory: 80Mi}, limits: {memory: 256Mi}}
  {{- with .Values.global }}
  global:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
