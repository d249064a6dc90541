#!/bin/bash
# Starts the broker by the image's own programs. Its tool writes the configuration from the environment and formats a new
# volume; of one that has its format it complains, which is no reason not to start.
set -euo pipefail
output=$(/opt/kafka/bin/kafka-run-class.sh kafka.docker.KafkaDockerWrapper setup --default-configs-dir /etc/kafka/docker \
  --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1) ||
  grep -qi 'already formatted' <<<"$output" || { echo "$output" >&2; exit 1; }
exec /opt/kafka/bin/kafka-server-start.sh /opt/kafka/config/server.properties
