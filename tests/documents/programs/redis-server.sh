#!/usr/bin/env bash
# The server under test on a free port, in the background, where redis-cli finds it from now on.
set -eu
"$STAGE/server" "$@" --bind 127.0.0.1 --port "$FREE_PORT" --dir "$STAGE" --save '' --daemonize yes \
    --pidfile "$STAGE/$FREE_PORT.pid" --logfile "$STAGE/$FREE_PORT.log"
echo "$FREE_PORT" >"$STAGE/port"
for _ in {1..1200}; do
    [ "$(redis-cli PING 2>/dev/null)" != PONG ] || exit 0
    sleep 0.05
done
cat "$STAGE/$FREE_PORT.log" >&2
exit 1
