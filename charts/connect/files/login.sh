#!/bin/bash
# Makes the login `connect` at our own broker, as its administrator: rights first, the login last. A repeat changes nothing.
# The tools are named by their class, which is the same in each build of the image.
set -euo pipefail
umask 077
client=/tmp/administrator.properties
cat > "$client" <<END
security.protocol=SASL_PLAINTEXT
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="eventline-topics" password="$ADMINISTRATOR_PASSWORD";
END

tool() {
  local class=$1
  shift
  /opt/kafka/bin/kafka-run-class.sh "$class" --bootstrap-server "$APP_KAFKA_BOOTSTRAP_SERVERS" --command-config "$client" "$@"
}

may() { tool org.apache.kafka.tools.AclCommand --add --allow-principal User:connect "$@"; }

may --operation Read --topic user.notices.v1
may --operation Read --group connect- --resource-pattern-type prefixed
may --operation Create --operation Write --operation Read --topic example.lines.v1
printf 'SCRAM-SHA-512=password=%s\n' "$LOGIN_PASSWORD" > /tmp/login.properties
tool kafka.admin.ConfigCommand --alter --entity-type users --entity-name connect --add-config-file /tmp/login.properties
