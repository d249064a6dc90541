{{/* What every pod of ours is: Pod Security `restricted`, a root that cannot be written, no token, no injected names. */}}

{{- define "service.pod.security" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "service.container.security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "service.container" -}}
image: {{ include "service.image" . }}
imagePullPolicy: {{ ((.Values.global).image).pullPolicy | default .Values.image.pullPolicy }}
securityContext:
  {{- include "service.container.security" . | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end -}}

{{/* /tmp, and certificates and keys from Secrets: {name: {secret, mode, items: {key: file}}} as YAML. */}}
{{- define "service.mounts" -}}
- name: tmp
  mountPath: /tmp
{{- range $name, $_ := fromYaml . }}
- name: {{ $name }}
  mountPath: /etc/eventline/{{ $name }}
  readOnly: true
{{- end }}
{{- end -}}

{{- define "service.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- range $name, $file := fromYaml . }}
- name: {{ $name }}
  {{- if $file.sources }}
  projected:
    sources:
      {{- range $source := $file.sources }}
      - secret:
          name: {{ $source.secret }}
          items:
            {{- range $key, $path := $source.items }}
            - key: {{ $key }}
              path: {{ $path }}
            {{- end }}
      {{- end }}
  {{- else }}
  {{- if $file.configMap }}
  configMap:
    name: {{ $file.configMap }}
  {{- else }}
  secret:
    secretName: {{ $file.secret }}
  {{- end }}
    {{- with $file.mode }}
    defaultMode: {{ . }}
    {{- end }}
    items:
      {{- range $key, $path := $file.items }}
      - key: {{ $key }}
        path: {{ $path }}
      {{- end }}
  {{- end }}
{{- end }}
{{- end -}}
