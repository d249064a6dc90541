#!/bin/bash
# Starts a standalone Kafka Connect worker by the image's own programs. The broker is named by the variables of our services;
# the worker and its three kinds of clients each need them as properties of their own.
set -euo pipefail
umask 077
kafka=${KAFKA_HOME:-/opt/kafka}
given=$(dirname "$0")
written=${TMPDIR:-/tmp}

# A text as the value of a property: a backslash counts twice there.
property() { printf '%s=%s\n' "$1" "${2//\\/\\\\}"; }

# A text inside the quotes of a JAAS line.
quoted() {
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

security() {
  local protocol=${APP_KAFKA_SECURITY_PROTOCOL:-plaintext} module=scram.Scram
  property security.protocol "${protocol^^}"
  if [ -n "${APP_KAFKA_CA_FILE:-}" ]; then
    property ssl.truststore.type PEM
    property ssl.truststore.location "$APP_KAFKA_CA_FILE"
  fi
  if [ -n "${APP_KAFKA_CERTIFICATE_FILE:-}" ]; then
    property ssl.keystore.type PEM
    property ssl.keystore.location "$written/keystore.pem"
  fi
  [[ $protocol == sasl_* ]] || return 0
  [ "$APP_KAFKA_SASL_MECHANISM" != PLAIN ] || module=plain.Plain
  property sasl.mechanism "$APP_KAFKA_SASL_MECHANISM"
  property sasl.jaas.config "org.apache.kafka.common.security.${module}LoginModule required \
username=$(quoted "$APP_KAFKA_USER") password=$(quoted "$APP_KAFKA_PASSWORD");"
}

[ -z "${APP_KAFKA_CERTIFICATE_FILE:-}" ] || cat "$APP_KAFKA_KEY_FILE" "$APP_KAFKA_CERTIFICATE_FILE" > "$written/keystore.pem"
# The file connectors are not on the class path; connectors of an image of your own are in /opt/connectors.
plugins=$(echo "$kafka"/libs/connect-file-*.jar)
[ ! -d /opt/connectors ] || plugins+=,/opt/connectors
{
  cat "$given/worker.properties"
  property bootstrap.servers "$APP_KAFKA_BOOTSTRAP_SERVERS"
  property plugin.path "$plugins"
  for client in '' admin. consumer. producer.; do security | sed "s/^/$client/"; done
} > "$written/worker.properties"
security > "$written/client.properties" # for the broker's tools in this container
export KAFKA_LOG4J_OPTS="-Dlog4j2.configurationFile=$given/log4j2.yaml"
exec "$kafka/bin/connect-standalone.sh" "$written/worker.properties" "$given"/connectors/*.properties
