#!/bin/bash
# Makes the worker's login at our own broker, as its administrator: rights first, the login last. A repeat changes nothing.
# It may read the topics in READS and write those in WRITES. The tools are named by their class, which is the same in each
# build of the image.
set -euo pipefail
umask 077
client=/tmp/administrator.properties
{
  printf 'security.protocol=%s\nsasl.mechanism=SCRAM-SHA-512\n' "${APP_KAFKA_SECURITY_PROTOCOL^^}"
  printf 'sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="%s" password="%s";\n' \
    "$ADMINISTRATOR" "$ADMINISTRATOR_PASSWORD"
  [ -z "${APP_KAFKA_CA_FILE:-}" ] || printf 'ssl.truststore.type=PEM\nssl.truststore.location=%s\n' "$APP_KAFKA_CA_FILE"
} > "$client"

tool() {
  local class=$1
  shift
  /opt/kafka/bin/kafka-run-class.sh "$class" --bootstrap-server "$APP_KAFKA_BOOTSTRAP_SERVERS" --command-config "$client" "$@"
}

may() { tool org.apache.kafka.tools.AclCommand --add --allow-principal "User:$LOGIN" "$@"; }

for topic in $READS; do may --operation Read --topic "$topic"; done
for topic in $WRITES; do may --operation Create --operation Write --operation Read --topic "$topic"; done
may --operation Read --group connect- --resource-pattern-type prefixed
printf 'SCRAM-SHA-512=password=%s\n' "$LOGIN_PASSWORD" > /tmp/login.properties
tool kafka.admin.ConfigCommand --alter --entity-type users --entity-name "$LOGIN" --add-config-file /tmp/login.properties
