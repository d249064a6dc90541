{{/* The Secret of the login that a Job makes: at the release's own broker with access control, unless one is named. */}}
{{- define "connect.login" -}}
{{- if and (include "service.kafka.controlled" .) (not (.Values.kafka.existingSecret | default (.Values.global.kafka).existingSecret)) -}}
{{- include "service.kafka.login" (list . "connect") -}}
{{- end -}}
{{- end -}}

{{/* The Secret that a job creates in the cluster, a line as in kafka.generated. */}}
{{- define "connect.generated" -}}
{{- with include "connect.login" . }}
{{ . }}:user=connect,password
{{ end }}
{{- end -}}

{{/* Topics that connectors name, separated by spaces: (list root "topics") of sinks, (list root "topic") of sources. */}}
{{- define "connect.topics" -}}
{{- $found := list -}}
{{- range $_, $properties := include "connect.connectors" (index . 0) | fromYaml -}}
{{- $found = concat $found (get $properties (index $ 1) | default "" | splitList ",") -}}
{{- end -}}
{{- $found | join " " | trim -}}
{{- end -}}

{{/* The Job that gives the login its rights, as the administrator. It is named by what it runs. */}}
{{- define "connect.login.spec" -}}
{{- $files := include "service.kafka.files" . -}}
{{- $administrator := include "service.kafka.login" (list . "topics") -}}
backoffLimit: 12
template:
  metadata:
    labels:
      {{- include "part.selector" (merge (dict "part" "connect-login") .) | nindent 6 }}
      app.kubernetes.io/part-of: eventline
      eventline/kafka-client: "true"
    annotations:
      checksum/login: {{ .Files.Get "files/login.sh" | sha256sum }}
  spec:
    restartPolicy: Never
    {{- include "service.pod.security" . | nindent 4 }}
    containers:
      - name: login
        image: {{ include "part.image" .Values.image }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        command: [bash, /etc/connect/login.sh]
        env:
          {{- range $key, $value := include "service.kafka.environment" . | fromYaml }}
          - {name: {{ $key }}, value: {{ $value | quote }}}
          {{- end }}
          - {name: READS, value: {{ include "connect.topics" (list . "topics") | quote }}}
          - {name: WRITES, value: {{ include "connect.topics" (list . "topic") | quote }}}
          {{- include "service.secretvalue" (list "ADMINISTRATOR" $administrator "user") | nindent 10 }}
          {{- include "service.secretvalue" (list "ADMINISTRATOR_PASSWORD" $administrator "password") | nindent 10 }}
          {{- include "service.secretvalue" (list "LOGIN" (include "connect.login" .) "user") | nindent 10 }}
          {{- include "service.secretvalue" (list "LOGIN_PASSWORD" (include "connect.login" .) "password") | nindent 10 }}
          - {name: KAFKA_HEAP_OPTS, value: -Xmx64m}
          - {name: KAFKA_JVM_PERFORMANCE_OPTS, value: {{ .Values.jvm.options | quote }}}
          - {name: LOG_DIR, value: /tmp}
        resources: {{- toYaml .Values.resources | nindent 10 }}
        securityContext:
          {{- include "service.container.security" . | nindent 10 }}
        volumeMounts:
          - {name: config, mountPath: /etc/connect, readOnly: true}
          {{- include "service.mounts" $files | nindent 10 }}
    volumes:
      - name: config
        configMap: {name: {{ include "part.fullname" . }}}
      {{- include "service.volumes" $files | nindent 6 }}
{{- end -}}
