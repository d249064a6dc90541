{{/* Who may call the API: callers with a bearer token of one issuer (global.auth), whose public keys are a file or at a URL. */}}

{{/* Where the public keys are: {url}, {configMap} or {secret}; the last has those of the issuer that a job made. */}}
{{- define "service.auth.jwks" -}}
{{- $auth := (.Values.global).auth | default dict -}}
{{- if ($auth.jwks).url -}}
url: {{ $auth.jwks.url }}
{{- else if ($auth.jwks).existingConfigMap -}}
configMap: {{ $auth.jwks.existingConfigMap }}
{{- else if ($auth.developmentIssuer).enabled -}}
secret: {{ .Release.Name }}-token-issuer
{{- end -}}
{{- end -}}

{{/* Where the public keys are fetched, nothing if they are a file or nobody needs a token. */}}
{{- define "service.auth.url" -}}
{{- if ((.Values.global).auth).enabled -}}
{{- (include "service.auth.jwks" . | fromYaml).url | default "" -}}
{{- end -}}
{{- end -}}

{{- define "service.auth.environment" -}}
{{- $auth := (.Values.global).auth | default dict -}}
{{- if $auth.enabled -}}
APP_AUTH: jwt
APP_AUTH_ISSUER: {{ $auth.issuer | default "eventline-development" | quote }}
APP_AUTH_AUDIENCE: {{ $auth.audience | default "eventline" | quote }}
{{- with (include "service.auth.jwks" . | fromYaml).url }}
APP_AUTH_JWKS_URL: {{ . | quote }}
{{- else }}
APP_AUTH_JWKS_FILE: /etc/eventline/jwks/jwks.json
{{- end }}
{{- else -}}
APP_AUTH_UNPROTECTED: "yes"
{{- end -}}
{{- end -}}

{{- define "service.auth.files" -}}
{{- $jwks := include "service.auth.jwks" . | fromYaml -}}
{{- if and ((.Values.global).auth).enabled (not $jwks.url) }}
jwks: {items: {jwks.json: jwks.json}, {{ empty $jwks.secret | ternary "configMap" "secret" }}: {{ $jwks.secret | default $jwks.configMap }}}
{{- end }}
{{- end -}}

{{- define "service.auth.checks" -}}
{{- $auth := (.Values.global).auth | default dict -}}
{{- if $auth.enabled -}}
{{- $jwks := include "service.auth.jwks" . | fromYaml -}}
{{- if not $jwks -}}
{{- fail "global.auth.enabled=true, but no public keys are named: write global.auth.jwks.url or global.auth.jwks.existingConfigMap of your issuer, or global.auth.developmentIssuer.enabled=true" -}}
{{- end -}}
{{- if and (not $jwks.secret) (not (and $auth.issuer $auth.audience)) -}}
{{- fail "global.auth.issuer and global.auth.audience are needed with public keys of your own: every token must name both" -}}
{{- end -}}
{{- end -}}
{{- end -}}
