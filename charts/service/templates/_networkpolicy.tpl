{{/* Only through Kafka: what a pod may reach and who may reach it; the umbrella denies the rest. */}}

{{- define "service.networkpolicy" -}}
{{- if include "service.networkpolicy.enabled" . -}}
{{- $peers := include "service.networkpolicy.peers" . | fromYaml -}}
{{ include "service.networkpolicy.head" (list . "") }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- if include "service.api" . }}
    # With global.auth.enabled=false any peer of this rule may use it.
    - ports:
        - {port: http, protocol: TCP}
      {{- with $peers.http }}
      from:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    {{- end }}
    - ports:
        - {port: metrics, protocol: TCP}
      from:
        {{- with $peers.metrics }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        - podSelector:
            matchLabels:
              {{- include "service.selector" (list . "test") | nindent 14 }}
  egress:
    {{- include "service.egress.dns" . | nindent 4 }}
    {{- if .Values.kafka }}
    {{- include "service.egress.kafka" . | nindent 4 }}
    {{- end }}
    {{- if and .Values.database (not (include "service.sqlite" .)) }}
    {{- include "service.egress.database" . | nindent 4 }}
    {{- end }}
    {{- if .Values.smtp }}
    {{- include "service.egress.smtp" . | nindent 4 }}
    {{- end }}
    {{- if and .Values.tracing (include "service.tracing" . | fromYaml).endpoint }}
    {{- include "service.egress.tracing" . | nindent 4 }}
    {{- end }}
    {{- if and (include "service.api" .) (include "service.auth.url" .) }}
    {{- include "service.egress.issuer" . | nindent 4 }}
    {{- end }}
    {{- if hasKey .Values.networkPolicy "witness" }}
    {{- include "service.egress.witness" . | nindent 4 }}
    {{- end }}
{{- if not (include "service.api" .) }}
{{- if .Values.topics.enabled }}
---
{{ include "service.networkpolicy.head" (list . "topics") }}
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "service.egress.dns" . | nindent 4 }}
    {{- include "service.egress.kafka" . | nindent 4 }}
{{- end }}
{{- else if not (include "service.sqlite" .) }}
---
{{ include "service.networkpolicy.head" (list . "migrate") }}
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "service.egress.dns" . | nindent 4 }}
    {{- include "service.egress.database" . | nindent 4 }}
{{- end }}
---
{{ include "service.networkpolicy.head" (list . "test") }}
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "service.egress.dns" . | nindent 4 }}
    - ports:
        - {port: 9464, protocol: TCP}
      to:
        - podSelector:
            matchLabels:
              {{- include "service.selector" (list . "") | nindent 14 }}
{{- end }}
{{- end -}}

{{- define "service.networkpolicy.head" -}}
{{- $root := index . 0 -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ compact (list (include "service.fullname" $root) (index . 1)) | join "-" }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "service.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "service.selector" . | nindent 6 }}
{{- end -}}

{{- define "service.networkpolicy.enabled" -}}
{{- $global := (.Values.global).networkPolicy | default dict -}}
{{- if and .Values.networkPolicy.enabled (ne (toString $global.enabled) "false") }}yes{{ end -}}
{{- end -}}

{{- define "service.networkpolicy.peers" -}}
{{- include "service.merged" (list (include "service.networkpolicy.usual" . | fromYaml) (.Values.global).networkPolicy .Values.networkPolicy) -}}
{{- end -}}

{{- define "service.networkpolicy.usual" -}}
{{- if eq .Chart.Name "witness" }}
http:
  - podSelector:
      matchLabels:
        app.kubernetes.io/name: audit
        app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
metrics:
  - namespaceSelector: {}
    podSelector:
      matchLabels:
        app.kubernetes.io/name: prometheus
dns:
  - namespaceSelector:
      matchLabels:
        kubernetes.io/metadata.name: kube-system
{{- end -}}

{{- define "service.egress.dns" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
  to:
    {{- toYaml (include "service.networkpolicy.peers" . | fromYaml).dns | nindent 4 }}
{{- end -}}

{{/* To a pod of the same release, or to the peers named by value. */}}
{{- define "service.egress.to" -}}
{{- $root := index . 0 -}}
to:
  {{- with index (include "service.networkpolicy.peers" $root | fromYaml) (index . 1) }}
  {{- toYaml . | nindent 2 }}
  {{- else }}
  - podSelector:
      matchLabels:
        app.kubernetes.io/name: {{ index . 2 }}
        app.kubernetes.io/instance: {{ $root.Release.Name }}
  {{- end }}
{{- end -}}

{{- define "service.egress.kafka" -}}
{{- $ports := list -}}
{{- range splitList "," (include "service.kafka" . | fromYaml).bootstrapServers -}}
{{- $ports = append $ports (splitList ":" . | last | trim) -}}
{{- end -}}
- ports:
    {{- range uniq $ports }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
  {{- include "service.egress.to" (list . "kafka" "kafka") | nindent 2 }}
{{- with include "service.kafka.tokenurl" . }}
- ports:
    - {port: {{ include "service.port" . }}, protocol: TCP}
  to:
    {{- toYaml (include "service.networkpolicy.peers" $ | fromYaml).kafkaIssuer | nindent 4 }}
{{- end }}
{{- end -}}

{{- define "service.egress.database" -}}
- ports:
    - {port: {{ (include "service.database" . | fromYaml).port }}, protocol: TCP}
  {{- include "service.egress.to" (list . "database" "postgres") | nindent 2 }}
{{- end -}}

{{- define "service.egress.smtp" -}}
- ports:
    - {port: {{ (include "service.smtp" . | fromYaml).port }}, protocol: TCP}
  {{- include "service.egress.to" (list . "smtp" "mail") | nindent 2 }}
{{- end -}}

{{/* To the issuer's public keys; its port is that of the address. */}}
{{- define "service.egress.issuer" -}}
- ports:
    - {port: {{ include "service.port" (include "service.auth.url" .) }}, protocol: TCP}
  to:
    {{- toYaml (include "service.networkpolicy.peers" . | fromYaml).issuer | nindent 4 }}
{{- end -}}

{{/* The port of an address. */}}
{{- define "service.port" -}}
{{- $url := urlParse . -}}
{{- regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "http" | ternary "80" "443") -}}
{{- end -}}

{{- define "service.egress.witness" -}}
- ports:
    - {port: 8080, protocol: TCP}
  {{- include "service.egress.to" (list . "witness" "witness") | nindent 2 }}
{{- end -}}

{{- define "service.networkpolicy.checks" -}}
{{- if include "service.networkpolicy.enabled" . -}}
{{- $peers := include "service.networkpolicy.peers" . | fromYaml -}}
{{- $kafka := include "service.kafka" . | fromYaml -}}
{{- if and .Values.kafka $kafka.external (not $peers.kafka) -}}
{{- include "service.networkpolicy.refuse" (list "kafka" "kafka.bootstrapServers" $kafka.bootstrapServers) -}}
{{- end -}}
{{- with and .Values.kafka (include "service.kafka.tokenurl" .) -}}
{{- if not $peers.kafkaIssuer -}}
{{- include "service.networkpolicy.refuse" (list "kafkaIssuer" "settings.kafkaOauthTokenUrl" .) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.database (not (include "service.sqlite" .)) -}}
{{- $database := include "service.database" . | fromYaml -}}
{{- if and $database.external (not $peers.database) -}}
{{- include "service.networkpolicy.refuse" (list "database" "database.host" $database.host) -}}
{{- end -}}
{{- end -}}
{{- if .Values.smtp -}}
{{- $smtp := include "service.smtp" . | fromYaml -}}
{{- if and $smtp.external (not $peers.smtp) -}}
{{- include "service.networkpolicy.refuse" (list "smtp" "smtp.host" $smtp.host) -}}
{{- end -}}
{{- end -}}
{{- with include "service.auth.url" . -}}
{{- if and (include "service.api" $) (not $peers.issuer) -}}
{{- include "service.networkpolicy.refuse" (list "issuer" "global.auth.jwks.url" .) -}}
{{- end -}}
{{- end -}}
{{- $endpoint := (include "service.tracing" . | fromYaml).endpoint -}}
{{- if and .Values.tracing $endpoint (not $peers.tracing) -}}
{{- include "service.networkpolicy.refuse" (list "tracing" "tracing.endpoint" $endpoint) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "service.networkpolicy.refuse" -}}
{{- fail (printf "networkPolicy.%s is empty, and %s=%s is not of this release: name its pods or addresses, such as [{ipBlock: {cidr: 10.0.0.0/8}}], or write networkPolicy.enabled=false" (index . 0) (index . 1) (index . 2)) -}}
{{- end -}}
