#!/usr/bin/env bash
# Starts the platform over SQLite, a local folder and the starter model.
# SKIAGRAPH_BIND, SKIAGRAPH_DATA_DIR and SKIAGRAPH_MODEL choose others.
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

bind="${SKIAGRAPH_BIND:-127.0.0.1:8080}"
data="${SKIAGRAPH_DATA_DIR:-$PWD/data}"
model="${SKIAGRAPH_MODEL:-$PWD/engine/starter}"
address="http://$bind"
# What a person at a terminal wants to read: the address, the password, what goes wrong.
export SKIAGRAPH_LOG="${SKIAGRAPH_LOG:-warn}"

if (exec 3<>"/dev/tcp/${bind%:*}/${bind##*:}") 2>/dev/null; then
  if [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 2 "$address/healthz")" = 200 ]; then
    fail "Skiagraph runs already: $address"
  fi
  fail "Port ${bind##*:} is taken by another program. End it, or choose another port:" \
    "    SKIAGRAPH_BIND=127.0.0.1:8081 make run"
fi
exec "$CARGO_TARGET_DIR/release/skiagraph" serve --bind "$bind" --data-dir "$data" --model "$model"
