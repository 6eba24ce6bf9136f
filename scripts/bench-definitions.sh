#!/usr/bin/env bash
# What being watched costs PostgreSQL: CPU of the module's own sessions, by what each is for, with many watched tables and as many
# known queries. In milliseconds per second, while nothing happens and while others write.
#
#   TABLES=1000 QUERIES=1000 SECONDS_EACH=60 FEEDS="notify outbox" scripts/bench-definitions.sh
set -euo pipefail
cd "$(dirname "$0")/.."

tables=${TABLES:-1000}
queries=${QUERIES:-1000}
seconds=${SECONDS_EACH:-60}
feeds=${FEEDS:-notify outbox}
server=${SERVER:-redis-server}
module=${PGCACHE_MODULE:-${CARGO_TARGET_DIR:-$PWD/target}/release/libpgcache.so}

fail() {
    echo "bench-definitions: $*" >&2
    exit 1
}

# shellcheck source=scripts/postgres.sh
. scripts/postgres.sh

export PGOPTIONS='-c client_min_messages=warning' PGHOST=127.0.0.1 PGUSER=demo
sql() { "$programs/psql" -X -q -A -t -p "$database_port" -d "$database" -v ON_ERROR_STOP=1 "$@"; }
cli() { redis-cli -h 127.0.0.1 -p "$server_port" "$@"; }

# shellcheck disable=SC2317  # called by wait_until
pong() { [ "$(cli PING)" = PONG ]; }

# shellcheck disable=SC2317  # called by wait_until
is_live() { cli PGCACHE.HEALTH | grep -q '^live$'; }

start_server() { # $1: the feed
    server_port=$(free_port)
    "$server" --bind 127.0.0.1 --port "$server_port" --save '' --dir "$folder" --loadmodule "$module" \
        pg_host 127.0.0.1 pg_port "$database_port" pg_user app pg_database "$database" invalidation "$1" query any \
        >"$folder/server.log" 2>&1 &
    server_pid=$!
    pids=("$server_pid" "${pids[@]}")
    wait_until "$server" "$server_pid" pong
    wait_until 'the feed' "$server_pid" is_live
}

prepare() { # $1: the feed
    database=$1
    "$programs/createdb" -p "$database_port" -O app "$database"
    # Owned by who is no superuser: without event triggers, which tell of definitions and cost nothing here, ADD is quicker.
    for number in $(seq "$tables"); do
        echo "CREATE TABLE public.t$number (id bigint PRIMARY KEY, a text, b int, c timestamptz, d numeric);"
        echo "INSERT INTO public.t$number VALUES (1, 'a', 1, now(), 1);"
    done | PGUSER=app sql
    start_server "$1"
    for number in $(seq "$tables"); do echo "PGCACHE.WATCH ADD t$number"; done | cli >"$folder/watch.log"
    [ "$(grep -c '^OK$' "$folder/watch.log")" -eq "$tables" ] || fail "WATCH ADD: $(sort "$folder/watch.log" | uniq -c | head)"
    sql -c 'VACUUM ANALYZE'
    for number in $(seq "$queries"); do
        echo "PGCACHE.QUERY \"SELECT a, b FROM t$((number % tables + 1)) WHERE id = $number\""
    done | cli >"$folder/queries.log"
    [ "$(grep -c '^\[' "$folder/queries.log")" -eq "$queries" ] || fail "QUERY: $(sort "$folder/queries.log" | uniq -c | head)"
}

# Ticks of the module's sessions, by what they are for.
ticks() {
    sql -c "SELECT application_name || ' ' || pid FROM pg_stat_activity WHERE application_name LIKE 'pgcache/%' ORDER BY 1" \
        | while read -r what pid; do
            awk -v what="$what" -v pid="$pid" '{ sub(/.*\) /, ""); print what, pid, $12 + $13 }' "/proc/$pid/stat"
        done
}

measure() { # $1: the feed; $2: meanwhile
    sleep 5
    ticks >"$folder/before"
    sleep "$seconds"
    ticks >"$folder/after"
    awk -v feed="$1" -v meanwhile="$2" -v seconds="$seconds" -v tick="$(getconf CLK_TCK)" '
        NR == FNR { before[$2] = $3; next }
        { spent = ($3 - before[$2]) * 1000 / tick / seconds; by[$1] += spent; sum += spent }
        END {
            for (what in by) printf "%-8s %-6s %-22s %6.2f ms/s\n", feed, meanwhile, what, by[what]
            printf "%-8s %-6s %-22s %6.2f ms/s\n", feed, meanwhile, "all", sum
        }' "$folder/before" "$folder/after"
}

start_postgres -c fsync=off -c max_locks_per_transaction=256
"$programs/createuser" -p "$database_port" app
for feed in $feeds; do
    prepare "$feed"
    measure "$feed" idle
    sql -c 'CREATE TABLE busy (n bigint); INSERT INTO busy VALUES (0)'
    while sleep 0.1; do echo 'UPDATE busy SET n = n + 1;'; done | sql &
    writer_pid=$!
    pids=("$writer_pid" "${pids[@]}")
    measure "$feed" busy
    kill "$writer_pid"
    wait "$writer_pid" 2>/dev/null || true
    kill "$server_pid"
    wait "$server_pid" 2>/dev/null || true
done
