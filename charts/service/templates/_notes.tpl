{{- define "service.notes" -}}
{{- $name := include "service.fullname" . -}}
{{ $name }} is being started. It is ready when {{ ternary "its database has its schema" "the broker answers" (ne (include "service.api" .) "") }}; see:

  kubectl --namespace {{ .Release.Namespace }} rollout status deployment/{{ $name }}
  kubectl --namespace {{ .Release.Namespace }} logs deployment/{{ $name }} --follow
  helm test {{ .Release.Name }} --namespace {{ .Release.Namespace }} --logs
{{- if include "service.api" . }}

Its API, at http://127.0.0.1:8080/schema on this machine. It has no authentication: networkPolicy.http names the peers that may reach it.

  kubectl --namespace {{ .Release.Namespace }} port-forward service/{{ $name }} 8080:8080
{{- end }}

Its metrics, at http://127.0.0.1:9464/metrics:

  kubectl --namespace {{ .Release.Namespace }} port-forward service/{{ $name }} 9464:9464
{{- end -}}
