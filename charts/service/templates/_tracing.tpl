{{/* Where spans go: the chart's `tracing`, else `global.tracing`; nowhere without an endpoint. */}}

{{- define "service.tracing" -}}
{{- include "service.merged" (list (.Values.global).tracing .Values.tracing) -}}
{{- end -}}

{{- define "service.tracing.environment" -}}
{{- $tracing := include "service.tracing" . | fromYaml -}}
{{- with $tracing.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
{{- end }}
{{- if and $tracing.endpoint $tracing.sampler }}
OTEL_TRACES_SAMPLER: {{ $tracing.sampler }}
{{- end }}
{{- if and $tracing.endpoint $tracing.samplerArg }}
OTEL_TRACES_SAMPLER_ARG: {{ $tracing.samplerArg | quote }}
{{- end }}
{{- end -}}

{{/* A rule to the collector, by the port of its address. */}}
{{- define "service.egress.tracing" -}}
{{- $address := urlParse (include "service.tracing" . | fromYaml).endpoint -}}
{{- $port := regexFind ":[0-9]+$" $address.host | trimPrefix ":" -}}
- ports:
    - {port: {{ $port | default (ternary "443" "80" (eq $address.scheme "https")) }}, protocol: TCP}
  to:
    {{- toYaml (include "service.networkpolicy.peers" . | fromYaml).tracing | nindent 4 }}
{{- end -}}

{{- define "service.tracing.checks" -}}
{{- $tracing := include "service.tracing" . | fromYaml -}}
{{- if and $tracing.sampler (not $tracing.endpoint) -}}
{{- fail (printf "tracing.sampler=%s has no meaning without tracing.endpoint: name a collector, such as http://collector.tracing.svc:4318" $tracing.sampler) -}}
{{- end -}}
{{- if and (hasSuffix "traceidratio" ($tracing.sampler | default "")) (not $tracing.samplerArg) -}}
{{- fail (printf "tracing.samplerArg is empty: tracing.sampler=%s needs the share to keep, such as \"0.1\"" $tracing.sampler) -}}
{{- end -}}
{{- if and $tracing.samplerArg (not (hasSuffix "traceidratio" ($tracing.sampler | default ""))) -}}
{{- fail "tracing.samplerArg has no meaning without a sampler by ratio: write tracing.sampler=parentbased_traceidratio" -}}
{{- end -}}
{{- end -}}
