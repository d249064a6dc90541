{{/* How the broker is reached: the chart's `kafka`, else `global.kafka`, else the broker of the same release. */}}

{{- define "service.kafka" -}}
{{- $own := printf "%s:9092" (include "service.neighbour" (list . "kafka")) -}}
{{- $defaults := dict "bootstrapServers" $own "securityProtocol" "plaintext" -}}
{{- $kafka := include "service.merged" (list $defaults (.Values.global).kafka .Values.kafka) | fromYaml -}}
{{- $_ := set $kafka "external" (ne $kafka.bootstrapServers $own) -}}
{{- if and (eq (.kafkaPrincipal | default "") "topics") (.Values.topics).existingSecret -}}
{{- $_ := set $kafka "existingSecret" .Values.topics.existingSecret -}}
{{- end -}}
{{- if include "service.kafka.controlled" . -}}
{{- $_ := set $kafka "securityProtocol" (empty $kafka.tls | ternary "sasl_plaintext" "sasl_ssl") -}}
{{- $_ := set $kafka "saslMechanism" "SCRAM-SHA-512" -}}
{{- $_ := set $kafka "existingSecret" ($kafka.existingSecret | default (include "service.kafka.login" (list . (include "service.kafka.principal" .)))) -}}
{{- $_ := set $kafka "caSecret" ($kafka.caSecret | default (include "service.kafka.login" (list . "tls"))) -}}
{{- end -}}
{{- $_ := set $kafka "sasl" (hasPrefix "sasl_" $kafka.securityProtocol) -}}
{{- $_ := set $kafka "tls" (hasSuffix "ssl" $kafka.securityProtocol) -}}
{{- if and $kafka.tls (not $kafka.trustSystem) -}}
{{- $_ := set $kafka "caSecret" ($kafka.caSecret | default $kafka.existingSecret) -}}
{{- end -}}
{{- toYaml $kafka -}}
{{- end -}}

{{/* Whether this is the release's own broker, with access control: a login for each principal, in a Secret of its own. */}}
{{- define "service.kafka.controlled" -}}
{{- $global := (.Values.global).kafka | default dict -}}
{{- $own := .Values.kafka | default dict -}}
{{- if and $global.accessControl (not (or $global.bootstrapServers $global.securityProtocol $own.bootstrapServers $own.securityProtocol)) }}yes{{ end -}}
{{- end -}}

{{/* Who the program is for the broker, without the prefix of its name there; a job is another principal. */}}
{{- define "service.kafka.principal" -}}
{{- .kafkaPrincipal | default (eq .Chart.Name "console" | ternary "lag-exporter" .Chart.Name) -}}
{{- end -}}

{{/* The Secret of a principal, with its name and its password: (list root "user"). */}}
{{- define "service.kafka.login" -}}
{{- printf "%s-%s" (include "service.neighbour" (list (index . 0) "kafka")) (index . 1) -}}
{{- end -}}

{{/* The prefix of the principals' names at the broker. */}}
{{- define "service.kafka.prefix" -}}
{{- ((.Values.global).kafka).principalPrefix | default "eventline-" -}}
{{- end -}}

{{/* Where the client gets a token with OAUTHBEARER, else nothing. */}}
{{- define "service.kafka.tokenurl" -}}
{{- if eq (toString (include "service.kafka" . | fromYaml).saslMechanism) "OAUTHBEARER" -}}
{{- (.Values.settings).kafkaOauthTokenUrl | default "" -}}
{{- end -}}
{{- end -}}

{{- define "service.kafka.environment" -}}
{{- $kafka := include "service.kafka" . | fromYaml -}}
APP_KAFKA_BOOTSTRAP_SERVERS: {{ $kafka.bootstrapServers | quote }}
APP_KAFKA_SECURITY_PROTOCOL: {{ $kafka.securityProtocol }}
{{- if $kafka.sasl }}
APP_KAFKA_SASL_MECHANISM: {{ $kafka.saslMechanism }}
{{- with $kafka.user }}
APP_KAFKA_USER: {{ . | quote }}
{{- end }}
{{- if $kafka.oauthCaSecret }}
APP_KAFKA_OAUTH_CA_FILE: /etc/eventline/kafka-oauth-ca/ca.crt
{{- end }}
{{- end }}
{{- if $kafka.tls }}
{{- if not $kafka.trustSystem }}
APP_KAFKA_CA_FILE: /etc/eventline/kafka-ca/ca.crt
{{- end }}
{{- if $kafka.certificateSecret }}
APP_KAFKA_CERTIFICATE_FILE: /etc/eventline/kafka-certificate/tls.crt
APP_KAFKA_KEY_FILE: /etc/eventline/kafka-certificate/tls.key
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.kafka.secrets" -}}
{{- $kafka := include "service.kafka" . | fromYaml -}}
{{- if $kafka.sasl }}
{{- if not $kafka.user }}
{{ include "service.secretvalue" (list "APP_KAFKA_USER" $kafka.existingSecret "user") }}
{{- end }}
{{ include "service.secretvalue" (list "APP_KAFKA_PASSWORD" $kafka.existingSecret "password") }}
{{- end }}
{{- end -}}

{{/* Volumes of certificates: name: {secret, items: {key in the secret: file}}. */}}
{{- define "service.kafka.files" -}}
{{- $kafka := include "service.kafka" . | fromYaml -}}
{{- if $kafka.tls }}
{{- if not $kafka.trustSystem }}
kafka-ca: {secret: {{ $kafka.caSecret }}, items: {ca.crt: ca.crt}}
{{- end }}
{{- with $kafka.oauthCaSecret }}
kafka-oauth-ca: {secret: {{ . }}, items: {ca.crt: ca.crt}}
{{- end }}
{{- with $kafka.certificateSecret }}
kafka-certificate: {secret: {{ . }}, items: { {{ $kafka.certificateKey | default "tls.crt" }}: tls.crt, {{ $kafka.privateKey | default "tls.key" }}: tls.key}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "service.kafka.checks" -}}
{{- $kafka := include "service.kafka" . | fromYaml -}}
{{- if and $kafka.sasl (not $kafka.existingSecret) -}}
{{- fail (printf "kafka.existingSecret is empty: kafka.securityProtocol=%s needs a Secret with the keys user and password" $kafka.securityProtocol) -}}
{{- end -}}
{{- if and $kafka.sasl (not $kafka.saslMechanism) -}}
{{- fail (printf "kafka.saslMechanism is empty: kafka.securityProtocol=%s needs one, such as SCRAM-SHA-512" $kafka.securityProtocol) -}}
{{- end -}}
{{- if and (eq $kafka.securityProtocol "sasl_plaintext") (has $kafka.saslMechanism (list "PLAIN" "OAUTHBEARER")) -}}
{{- fail (printf "kafka.saslMechanism=%s would send the password in the clear with kafka.securityProtocol=sasl_plaintext: write sasl_ssl, or a SCRAM mechanism" $kafka.saslMechanism) -}}
{{- end -}}
{{- if and $kafka.saslMechanism (not $kafka.sasl) -}}
{{- fail (printf "kafka.saslMechanism=%s has no meaning with kafka.securityProtocol=%s: write sasl_ssl or sasl_plaintext" $kafka.saslMechanism $kafka.securityProtocol) -}}
{{- end -}}
{{- if and $kafka.oauthCaSecret (ne (toString $kafka.saslMechanism) "OAUTHBEARER") -}}
{{- fail "kafka.oauthCaSecret has no meaning without kafka.saslMechanism=OAUTHBEARER" -}}
{{- end -}}
{{- if and $kafka.oauthCaSecret (.Values.settings).kafkaOauthCaFile -}}
{{- fail "kafka.oauthCaSecret and settings.kafkaOauthCaFile are both given: remove one" -}}
{{- end -}}
{{- if and $kafka.tls (not $kafka.trustSystem) (not $kafka.caSecret) -}}
{{- fail (printf "kafka.caSecret is empty: kafka.securityProtocol=%s needs a Secret with the key ca.crt, or kafka.trustSystem=true" $kafka.securityProtocol) -}}
{{- end -}}
{{- if and $kafka.certificateSecret (not $kafka.tls) -}}
{{- fail (printf "kafka.certificateSecret has no meaning with kafka.securityProtocol=%s: write ssl or sasl_ssl" $kafka.securityProtocol) -}}
{{- end -}}
{{- end -}}
