{{/* How many nodes: an umbrella's number wins. */}}
{{- define "kafka.replicas" -}}
{{- $replicas := dig "kafka" "replicas" .Values.replicas (.Values.global | default dict) | int -}}
{{- if and (ne (int .Values.replicas) 1) (ne (int .Values.replicas) $replicas) -}}
{{- fail (printf "kafka.replicas is %d, but global.kafka.replicas is %d: write global.kafka.replicas, which the topics follow" (int .Values.replicas) $replicas) -}}
{{- end -}}
{{- if not (has $replicas (list 1 3)) -}}
{{- fail (printf "global.kafka.replicas is %d: it must be 1 or 3" $replicas) -}}
{{- end -}}
{{- $replicas -}}
{{- end -}}

{{/* Checks beyond the schema. */}}
{{- define "kafka.check" -}}
{{- $replicas := include "kafka.replicas" . | int -}}
{{- $external := .Values.externalAccess -}}
{{- if and $external.enabled (or (lt (len $external.ports) $replicas) (lt (len $external.nodePorts) $replicas)) -}}
{{- fail (printf "externalAccess.ports and externalAccess.nodePorts must name one port for each of the %d replicas" $replicas) -}}
{{- end -}}
{{- if and .Values.sasl.existingSecret (not .Values.tls.existingSecret) -}}
{{- fail "sasl.existingSecret without tls.existingSecret would send passwords in clear text: set both" -}}
{{- end -}}
{{- $global := (.Values.global).kafka | default dict -}}
{{- if and (include "kafka.controlled" .) .Values.tls.existingSecret -}}
{{- if not $global.tls -}}
{{- fail "kafka.tls.existingSecret without global.kafka.tls=true: the nodes would speak TLS, and their clients would not: set both" -}}
{{- else if not (or $global.caSecret $global.trustSystem) -}}
{{- fail "kafka.tls.existingSecret without global.kafka.caSecret: name a Secret with the key ca.crt, which the clients trust, or write global.kafka.trustSystem=true" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the certificate of the clients' listeners, nothing without TLS. */}}
{{- define "kafka.keystore" -}}
{{- if .Values.tls.existingSecret -}}
{{- .Values.tls.existingSecret -}}
{{- else if and (include "kafka.controlled" .) ((.Values.global).kafka).tls -}}
{{- printf "%s-tls" (include "part.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* Each node's controller, by number. */}}
{{- define "kafka.voters" -}}
{{- $name := include "part.fullname" . -}}
{{- $voters := list -}}
{{- range $i := until (include "kafka.replicas" . | int) -}}
{{- $voters = append $voters (printf "%d@%s-%d.%s-nodes.%s.svc:9093" $i $name $i $name $.Release.Namespace) -}}
{{- end -}}
{{- join "," $voters -}}
{{- end -}}

{{/* Whether everybody logs in, and may do only what is allowed. */}}
{{- define "kafka.controlled" -}}
{{- $global := (.Values.global).kafka | default dict -}}
{{- if and $global.accessControl (not (or $global.bootstrapServers $global.securityProtocol .Values.sasl.existingSecret)) }}yes{{ end -}}
{{- end -}}

{{/* The Secrets that a job creates in the cluster, a line each: of the nodes, and of each login: (list root console). */}}
{{- define "kafka.generated" -}}
{{- $root := index . 0 -}}
{{- $name := include "part.fullname" $root -}}
{{- if include "kafka.controlled" $root }}
{{ $name }}-broker:password
{{- range (index . 1).Values.topics.principals }}
{{ $name }}-{{ . }}:user={{ include "kafka.prefix" $root }}{{ . }},password
{{- end }}
{{- if and ($root.Values.global.kafka).tls (not $root.Values.tls.existingSecret) }}
{{ $name }}-tls:keystore.pem,ca.crt,hosts={{ include "kafka.hosts" $root }}
{{- end }}
{{ end }}
{{- end -}}

{{/* The names by which clients reach the brokers. */}}
{{- define "kafka.hosts" -}}
{{- $name := include "part.fullname" . -}}
{{- $hosts := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) (printf "*.%s-nodes.%s.svc" $name .Release.Namespace) -}}
{{- if .Values.externalAccess.enabled -}}
{{- $hosts = append $hosts .Values.externalAccess.host -}}
{{- end -}}
{{- join ";" $hosts -}}
{{- end -}}

{{- define "kafka.prefix" -}}
{{- ((.Values.global).kafka).principalPrefix | default "eventline-" -}}
{{- end -}}

{{/* What the broker's own tools need in its container. */}}
{{- define "kafka.tools" -}}
--command-config /opt/kafka/config/broker.properties
{{- end -}}

{{/* The broker's settings by their Kafka names, the chart's below the user's. */}}
{{- define "kafka.config" -}}
{{- $replicas := include "kafka.replicas" . | int -}}
{{- $client := ternary (ternary "SASL_SSL" "SSL" (ne .Values.sasl.existingSecret "")) "PLAINTEXT" (ne .Values.tls.existingSecret "") -}}
{{- $inside := "PLAINTEXT" -}}
{{- if include "kafka.controlled" . -}}
{{- $client = ternary "SASL_SSL" "SASL_PLAINTEXT" (ne (include "kafka.keystore" .) "") -}}
{{- $inside = "SASL_PLAINTEXT" -}}
{{- end -}}
{{- $listeners := "CLIENT://:9092,CONTROLLER://:9093,INTERNAL://:9094" -}}
{{- $protocols := printf "CONTROLLER:%s,INTERNAL:%s,CLIENT:%s" $inside $inside $client -}}
{{- if .Values.externalAccess.enabled -}}
{{- $listeners = printf "%s,EXTERNAL://:9095" $listeners -}}
{{- $protocols = printf "%s,EXTERNAL:%s" $protocols $client -}}
{{- end -}}
process.roles: broker,controller
controller.quorum.voters: {{ include "kafka.voters" . }}
controller.listener.names: CONTROLLER
inter.broker.listener.name: INTERNAL
listeners: {{ $listeners }}
listener.security.protocol.map: {{ $protocols }}
log.dirs: /var/lib/kafka/data/log
auto.create.topics.enable: "false"
default.replication.factor: {{ $replicas | quote }}
min.insync.replicas: {{ ternary "2" "1" (eq $replicas 3) | quote }}
offsets.topic.num.partitions: "3"
offsets.topic.replication.factor: {{ $replicas | quote }}
share.coordinator.state.topic.replication.factor: {{ $replicas | quote }}
transaction.state.log.replication.factor: {{ $replicas | quote }}
transaction.state.log.min.isr: {{ ternary "2" "1" (eq $replicas 3) | quote }}
group.initial.rebalance.delay.ms: "0"
log.cleaner.dedupe.buffer.size: "16777216"
# A killed consumer's partitions come back within seconds instead of 45.
group.consumer.session.timeout.ms: "6000"
group.consumer.min.session.timeout.ms: "6000"
group.consumer.heartbeat.interval.ms: "2000"
group.consumer.min.heartbeat.interval.ms: "2000"
{{- if include "kafka.keystore" . }}
ssl.keystore.type: PEM
ssl.keystore.location: /etc/kafka/tls/keystore.pem
{{- end }}
{{- if .Values.sasl.existingSecret }}
sasl.enabled.mechanisms: PLAIN
{{- end }}
{{- end -}}
