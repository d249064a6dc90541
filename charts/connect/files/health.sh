#!/bin/bash
# Health of the worker by its REST API. `alive`: it answers. Without an argument also: each connector has its tasks, and none has failed.
set -euo pipefail

get() {
  exec 3<>/dev/tcp/127.0.0.1/8083
  printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3
  cat <&3
}

answer=$(get /health)
[[ $answer == HTTP/1.?' 200 '* ]] || { echo "$answer"; exit 1; }
[ "${1:-}" != alive ] || exit 0
answer=$(get '/connectors?expand=status')
started=$(grep -o '"connector":{"state":' <<<"$answer" | wc -l)
connectors=("$(dirname "$0")"/connectors/*.properties)
[[ $started -ge ${#connectors[@]} && $answer != *'"tasks":[]'* && $answer != *'"state":"'@(FAILED|UNASSIGNED)* ]] ||
  { echo "$answer"; exit 1; }
