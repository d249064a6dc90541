{{/* Checks beyond the schema. Also the names of neighbours in the same release, by Helm's usual rule. */}}

{{- define "observability.neighbour" -}}
{{- include "part.fullname" (merge (dict "part" (index . 1)) (index . 0)) -}}
{{- end -}}

{{/* Whether alerts leave for somewhere else than the release's mail sink. */}}
{{- define "observability.external" -}}
{{- $alertmanager := .Values.alertmanager -}}
{{- if or $alertmanager.email.smarthost $alertmanager.config $alertmanager.existingSecret }}yes{{ end -}}
{{- end -}}

{{- define "observability.checks" -}}
{{- $email := .Values.alertmanager.email -}}
{{- $grafana := .Values.grafana -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and .Values.alertmanager.config .Values.alertmanager.existingSecret -}}
{{- fail "alertmanager.config and alertmanager.existingSecret are both given: give one" -}}
{{- end -}}
{{- if and $email.username (not $email.existingSecret) -}}
{{- fail "alertmanager.email.existingSecret is empty: alertmanager.email.username needs a Secret with the key password" -}}
{{- end -}}
{{- if and $email.existingSecret (not $email.username) -}}
{{- fail "alertmanager.email.username is empty: alertmanager.email.existingSecret needs one" -}}
{{- end -}}
{{- if and $email.username (not (and $email.smarthost $email.requireTls)) -}}
{{- fail "alertmanager.email.username needs alertmanager.email.smarthost and alertmanager.email.requireTls: a password is not sent in the clear" -}}
{{- end -}}
{{- if and .Values.alertmanager.enabled (include "observability.external" .) $policy.enabled (not $policy.receivers) -}}
{{- fail "networkPolicy.receivers is empty, and alerts go to a receiver of yours: name its pods or addresses, such as [{ipBlock: {cidr: 192.0.2.7/32}}], or write networkPolicy.enabled=false" -}}
{{- end -}}
{{- if and $grafana.enabled (not $grafana.prometheusUrl) (not .Values.prometheus.enabled) -}}
{{- fail "grafana.prometheusUrl is empty, and prometheus.enabled=false: name your Prometheus, or write grafana.enabled=false" -}}
{{- end -}}
{{- if and $grafana.enabled $grafana.prometheusUrl $policy.enabled (not $policy.prometheus) -}}
{{- fail "networkPolicy.prometheus is empty, and grafana.prometheusUrl is a Prometheus of yours: name its pods or addresses, or write networkPolicy.enabled=false" -}}
{{- end -}}
{{- if and $grafana.enabled (not .Values.dashboards.enabled) -}}
{{- fail "dashboards.enabled=false with grafana.enabled=true: a Grafana without its dashboards shows nothing" -}}
{{- end -}}
{{- end -}}
