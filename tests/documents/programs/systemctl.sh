#!/usr/bin/env bash
# Restarts the server with its configuration, and nothing else.
set -eu
[ "$*" = "restart redis-server" ]
exec redis-server "$STAGE/etc/redis/redis.conf"
