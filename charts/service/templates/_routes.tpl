{{/* The ways in from outside the cluster, off by default: an Ingress, or an HTTPRoute of the Gateway API. */}}

{{- define "service.ingress" -}}
{{- $ingress := .Values.ingress -}}
{{- if $ingress.enabled -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "service.metadata" . | nindent 2 }}
  {{- with $ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $ingress.tlsSecret }}
  tls:
    - hosts: [{{ $ingress.host | quote }}]
      secretName: {{ . }}
  {{- end }}
  rules:
    - host: {{ $ingress.host | quote }}
      http:
        paths:
          - path: {{ $ingress.path }}
            pathType: Prefix
            backend:
              service:
                name: {{ include "service.fullname" . }}
                port:
                  name: http
{{- end }}
{{- end -}}

{{- define "service.httproute" -}}
{{- $route := .Values.httpRoute -}}
{{- if $route.enabled -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "service.metadata" . | nindent 2 }}
  {{- with $route.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs:
    {{- toYaml $route.parentRefs | nindent 4 }}
  {{- with $route.hostnames }}
  hostnames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: {{ $route.path }}
      backendRefs:
        - group: ""
          kind: Service
          name: {{ include "service.fullname" . }}
          port: 8080
          weight: 1
{{- end }}
{{- end -}}

{{- define "service.routes.checks" -}}
{{- if and (.Values.ingress).enabled (not .Values.ingress.host) -}}
{{- fail "ingress.host is empty: an Ingress for every host would take the requests of others; name one, such as user.example.com" -}}
{{- end -}}
{{- if and (.Values.httpRoute).enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is empty: name the Gateway, such as [{name: public, namespace: gateways}]" -}}
{{- end -}}
{{- end -}}
