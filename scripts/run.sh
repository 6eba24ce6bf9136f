#!/usr/bin/env bash
# Shows the module at work: a throwaway PostgreSQL with sample data and a server with the module,
# both on free loopback ports. Stays up until Ctrl-C, then ends and removes everything it started.
#
#   scripts/run.sh [redis-server | valkey-server | redis-8 | …]
#   CLUSTER=3 scripts/run.sh […]     shows a cluster instead: three primaries with a replica each
set -euo pipefail
cd "$(dirname "$0")/.."

[ "${CLUSTER:-0}" = 0 ] || exec scripts/run-cluster.sh "$@"

# shellcheck source=scripts/demo.sh
. scripts/demo.sh

demonstrate() {
    show 'A miss: the row comes from PostgreSQL, as JSON.' PGCACHE.READ users '{"id":2}'
    show 'A hit: the same row from the server'\''s memory.' PGCACHE.READ users '{"id":2}'
    show 'Its entry is an ordinary key with a time to live.' PTTL 'pg_cache:users:{"id":2}'
    show 'A batch: one statement for all that is missing, null for a row that does not exist.' \
        PGCACHE.MULTIREAD users '[{"id":2},{"id":3},{"id":999999}]'
    show 'A key of two columns, in any order.' PGCACHE.READ orders '{"line_no":1,"user_id":7}'
    show 'A typed error: the first word says what is wrong.' PGCACHE.READ users '{"id":"abc"}'
    show 'From now on PostgreSQL tells of every change of users.' PGCACHE.WATCH ADD users
    show 'The row is cached again.' PGCACHE.READ users '{"id":2}'
    # shellcheck disable=SC2016  # $1 is PostgreSQL's
    show 'A query gets a name …' PGCACHE.DEFINE named 'SELECT id, name FROM users WHERE name LIKE $1 ORDER BY id LIMIT 3'
    show_a_change
}

prepare
server_port=$(free_port)
http_port=$(free_port)
while [ "$http_port" = "$server_port" ]; do http_port=$(free_port); done
start_server "$server_port" http_port "$http_port"
demonstrate
cat <<END

Both stay up until Ctrl-C. In another terminal you can paste the lines above, or type your own:
  redis-cli --raw -h 127.0.0.1 -p $server_port
  psql -h 127.0.0.1 -p $database_port -U demo shop
http://127.0.0.1:$http_port/ shows the cache at work, http://127.0.0.1:$http_port/metrics is for Prometheus.
END
stay_up
