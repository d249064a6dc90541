#!/bin/bash
# Starts the broker by the image's own programs. The configuration is made from the environment by the image's rule, and
# formats a new volume. Its own tool does the same, but cannot give a new volume its first user. Where the folder USERS
# has passwords, everybody logs in (access.properties), and the user of its file `administrator` manages rights and users.
set -euo pipefail
umask 077
given=$(dirname "$0")
kafka=${KAFKA_HOME:-/opt/kafka}
users=${USERS:-/etc/kafka/users}
administrator=${ADMINISTRATOR:-eventline-topics}
config=$kafka/config/server.properties

# KAFKA_A_B__C___D is a.b_c-d; a backslash counts twice in a value.
from_environment() {
  local name key
  for name in "${!KAFKA_@}"; do
    [[ $name != KAFKA_@(HOME|OPTS|HEAP_OPTS|JVM_PERFORMANCE_OPTS|GC_LOG_OPTS|JMX_OPTS|LOG4J_OPTS|LOG4J_CONFIG|VERSION) ]] || continue
    key=${name#KAFKA_}
    key=${key//___/-}
    key=${key//__/$'\x01'}
    key=${key//_/.}
    key=${key//$'\x01'/_}
    printf '%s=%s\n' "${key,,}" "${!name//\\/\\\\}"
  done
}

password() {
  local found
  found=$(<"$users/$1")
  [[ $found =~ ^[A-Za-z0-9._~-]{8,128}$ ]] || { echo "the password in $users/$1 must be 8 to 128 of A-Z a-z 0-9 . _ ~ -" >&2; exit 1; }
  printf '%s' "$found"
}

# Of the nodes' login, for the tools in this container, and of the administrator's, to be made on an old volume.
secure() {
  sed "s|/etc/kafka/users|$users|g" "$given/access.properties"
  printf 'super.users=User:broker;User:%s\n' "$administrator"
  printf 'SCRAM-SHA-512=password=%s\n' "$of_administrator" > "$kafka/config/administrator.properties"
  cat > "$kafka/config/broker.properties" <<END
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="$of_broker";
END
}

# A volume that was formatted before may be without the administrator, or have another password.
upsert_administrator() {
  export KAFKA_HEAP_OPTS=-Xmx64m
  local port=${KAFKA_LISTENERS#*INTERNAL://*:}
  for _ in {1..60}; do
    sleep 1
    "$kafka/bin/kafka-configs.sh" --bootstrap-server "localhost:${port%%,*}" --command-config "$kafka/config/broker.properties" --alter \
      --entity-type users --entity-name "$administrator" --add-config-file "$kafka/config/administrator.properties" > "$kafka/config/upsert.log" 2>&1 &&
      return
  done
  echo "the administrator $administrator could not be given its password: $(grep -v password "$kafka/config/upsert.log" | tail -n 3)" >&2
}

for file in log4j2.yaml tools-log4j2.yaml; do cat "$given/$file" > "$kafka/config/$file"; done
from_environment > "$config"
echo security.protocol=PLAINTEXT > "$kafka/config/broker.properties"
first=()
if [ -d "$users" ]; then
  of_broker=$(password broker)
  of_administrator=$(password administrator)
  secure >> "$config"
  first=(--add-scram "SCRAM-SHA-512=[name=$administrator,password=$of_administrator]")
fi
if [ ! -e "$KAFKA_LOG_DIRS/meta.properties" ]; then
  # Its output has keys of the credential: only what explains a failure is shown.
  output=$("$kafka/bin/kafka-storage.sh" format --cluster-id "$CLUSTER_ID" --config "$config" "${first[@]}" 2>&1) ||
    { grep -vi scram <<<"$output" >&2; exit 1; }
elif [ -d "$users" ]; then
  upsert_administrator &
fi
exec "$kafka/bin/kafka-server-start.sh" "$config"
