{{/* The connectors without those that null has removed. */}}
{{- define "connect.connectors" -}}
{{- $connectors := dict -}}
{{- range $name, $properties := .Values.connectors -}}
{{- if $properties }}{{ $_ := set $connectors $name $properties }}{{ end -}}
{{- end -}}
{{- if not $connectors -}}
{{- fail "connectors is empty: name at least one, or write connect.enabled=false" -}}
{{- end -}}
{{- toYaml $connectors -}}
{{- end -}}

{{/* Beyond the schema. */}}
{{- define "connect.checks" -}}
{{- range $key := list "listeners" "bootstrap.servers" "plugin.path" "offset.storage.file.filename" -}}
{{- if hasKey $.Values.worker $key -}}
{{- fail (printf "worker.%s cannot be given: the REST API is for the pod alone, and the rest follows from other values" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A map as lines of a file of properties. */}}
{{- define "connect.properties" -}}
{{- range $key, $value := . }}
{{ $key }}={{ include "connect.text" $value | replace "\\" "\\\\" }}
{{- end }}
{{- end -}}

{{/* Numbers come as floats, and 1e+06 is no integer to Kafka. */}}
{{- define "connect.text" -}}
{{- if and (kindIs "float64" .) (eq (float64 .) (floor .)) }}{{ printf "%.0f" . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}
