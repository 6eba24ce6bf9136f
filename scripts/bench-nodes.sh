#!/usr/bin/env bash
# What nodes cost one PostgreSQL: as many servers with the module as a cluster has nodes, which listen each for itself. Counts their
# connections, the CPU that changes cost (idle, at fixed rates, at full speed), and how long a change takes from COMMIT to all nodes.
# The nodes hold no rows but the one whose changes are timed. PostgreSQL runs without fsync and with wal_level logical throughout.
#
#   NODES="1 3 6 12" FEEDS="notify outbox wal" RATES="500 2000" SECONDS_EACH=6 scripts/bench-nodes.sh
#   NODES="24 48" RATES=100 FULL_SPEED=no scripts/bench-nodes.sh
set -euo pipefail
cd "$(dirname "$0")/.."

nodes=${NODES:-1 3 6 12}
feeds=${FEEDS:-notify outbox wal}
rates=${RATES:-500 2000}
seconds=${SECONDS_EACH:-6}
full_speed=${FULL_SPEED:-yes}
server=${SERVER:-redis-server}
module=${PGCACHE_MODULE:-${CARGO_TARGET_DIR:-$PWD/target}/release/libpgcache.so}
writers=4
probed='{"id":0}'

fail() {
    echo "bench-nodes: $*" >&2
    exit 1
}

# shellcheck source=scripts/postgres.sh
. scripts/postgres.sh

export PGOPTIONS='-c client_min_messages=warning' PGHOST=127.0.0.1 PGUSER=demo PGDATABASE=postgres
sql() { "$programs/psql" -X -q -A -t -p "$database_port" -v ON_ERROR_STOP=1 "$@"; }
cli() { redis-cli -h 127.0.0.1 -p "$@"; }

# shellcheck disable=SC2317  # called by wait_until
pong() { [ "$(cli "$1" PING)" = PONG ]; }

# shellcheck disable=SC2317  # called by wait_until
is_live() { cli "$1" PGCACHE.HEALTH | grep -q '^live$'; }

# shellcheck disable=SC2317  # called by wait_until
is_watched() { cli "$1" PGCACHE.READ users "$probed" && cli "$1" PGCACHE.INSPECT users "$probed" | grep -q '^row$'; }

prepare() {
    sql <<'SQL'
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, visits int NOT NULL)
    WITH (fillfactor = 50, autovacuum_enabled = off);
INSERT INTO users SELECT id, 'user' || id || '@example.com', 'User ' || id, 0 FROM generate_series(0, 50000) AS id;
SQL
    cat >"$folder/update.sql" <<'END'
\set id random(1, 50000)
UPDATE users SET visits = visits + 1 WHERE id = :id;
END
    chmod 644 "$folder/update.sql"
}

start_nodes() { # $1: how many; $2: the feed
    local number
    node_pids=() node_ports=()
    for number in $(seq "$1"); do
        node_ports[number]=$(free_port)
        "$server" --bind 127.0.0.1 --port "${node_ports[number]}" --save '' --dir "$folder" --notify-keyspace-events Eg \
            --loadmodule "$module" pg_host 127.0.0.1 pg_port "$database_port" pg_user demo pg_database postgres invalidation "$2" \
            >"$folder/node$number.log" 2>&1 &
        node_pids[number]=$!
        pids=("$!" "${pids[@]}")
        wait_until "$server" "${node_pids[number]}" pong "${node_ports[number]}"
    done
    for number in "${!node_pids[@]}"; do wait_until 'the feed' "${node_pids[number]}" is_live "${node_ports[number]}"; done
    [ "$(cli "${node_ports[1]}" PGCACHE.WATCH ADD users)" = OK ] || fail 'WATCH ADD users'
}

end_nodes() {
    kill "${node_pids[@]}"
    wait "${node_pids[@]}" 2>/dev/null || true
    pids=("${pids[@]:${#node_pids[@]}}")
    sql -c 'DROP SCHEMA IF EXISTS pgcache CASCADE' -c 'DROP PUBLICATION IF EXISTS pgcache' -c 'VACUUM users' -c CHECKPOINT
}

# CPU of each process in nanoseconds, by its part: that of all its threads.
spent() {
    {
        for pid in "${node_pids[@]}"; do echo "nodes $pid"; done
        sql -c "SELECT CASE WHEN application_name LIKE 'pgcache/%' THEN substr(application_name, 9)
                            WHEN application_name = 'pgbench' THEN 'writers' ELSE 'others' END || ' ' || pid
                  FROM pg_stat_activity WHERE application_name <> 'psql'"
    } | while read -r part pid; do
        # One that has ended meanwhile has spent nothing.
        { cat "/proc/$pid/task/"*/schedstat 2>/dev/null || true; } | awk -v part="$part" -v pid="$pid" '{ sum += $1 } END { printf "%s %s %.0f\n", part, pid, sum }'
    done
}

start_writers() { # $1: changes a second; full: as many as there can be; $2: for how many seconds
    local limit=()
    [ "$1" = full ] || limit=(-R "$1")
    "$programs/pgbench" -n -M prepared -p "$database_port" -c "$writers" -j 1 -T "$2" "${limit[@]}" -f "$folder/update.sql" >"$folder/pgbench.out" 2>"$folder/pgbench.log" &
    writers_pid=$!
    pids=("$writers_pid" "${pids[@]}")
    sleep 1
}

await_writers() {
    wait "$writers_pid" || fail "pgbench: $(cat "$folder/pgbench.log")"
    pids=("${pids[@]:1}")
}

changes() { sql -c 'SELECT sum(visits) FROM users'; }

# What a number of seconds cost: a line for the tables, and CPU in milliseconds a second by part.
measure() { # $1: nodes; $2: the feed; $3: the rate
    local from before
    before=$(changes) from=$EPOCHREALTIME
    spent >"$folder/before"
    sleep "$seconds"
    spent >"$folder/after"
    awk -v what="$1 $2 $3" -v from="$from" -v to="$EPOCHREALTIME" -v changes="$(($(changes) - before))" '
        BEGIN { time = to - from }
        NR == FNR { before[$2] = $3; next }
        $3 > 0 { by[$1] += ($3 - before[$2]) / 1e6 / time }
        END {
            printf "%s %.0f", what, changes / time
            split("wal notices definitions load others writers nodes", parts)
            for (place = 1; place in parts; place++) printf " %.3f", by[parts[place]]
            print ""
        }' "$folder/before" "$folder/after" >>"$folder/cpu"
}

# A connection to each node that asks, and one that is told when the node drops the row, the only one that it holds.
open_probes() {
    local number descriptor
    asking=() told=()
    for number in "${!node_ports[@]}"; do
        wait_until 'the watched table' "${node_pids[number]}" is_watched "${node_ports[number]}"
        exec {descriptor}<>"/dev/tcp/127.0.0.1/${node_ports[number]}"
        asking[number]=$descriptor
        exec {descriptor}<>"/dev/tcp/127.0.0.1/${node_ports[number]}"
        told[number]=$descriptor
        printf 'SUBSCRIBE __keyevent@0__:del\r\n' >&"${told[number]}"
        skip_lines 6 "${told[number]}"
    done
    coproc probe { PGAPPNAME=probe sql; }
    probe_pid=$! to_probe=${probe[1]} from_probe=${probe[0]}
}

close_probes() {
    local descriptor
    for descriptor in "${asking[@]}" "${told[@]}"; do exec {descriptor}>&-; done
    exec {to_probe}>&-
    wait "$probe_pid" || true
    probe_pid=
}

skip_lines() { # $1: how many; $2: of which connection
    local count
    for count in $(seq "$1"); do read -r -t 30 -u "$2" _ || fail "no line $count from a node"; done
}

# What a node answers to a command: a text, a number or an error. Leaves it in $answer.
ask() { # $1: the node; $2: the command
    printf '%s\r\n' "$2" >&"${asking[$1]}"
    read -r -t 30 -u "${asking[$1]}" answer || fail "no answer from node $1"
    case $answer in
    '$-1'*) ;;
    '$'*) read -r -t 30 -u "${asking[$1]}" answer || fail "no text from node $1" ;;
    esac
    answer=${answer%$'\r'}
}

# Has a node hold the row: a load that a change overtakes is not stored, and a gap gives the row another key.
hold_row() { # $1: the node
    local deadline=$((SECONDS + 30)) answer=
    until [ "$answer" = :1 ]; do
        [ $SECONDS -lt "$deadline" ] || fail "node $1 does not hold the row"
        ask "$1" "PGCACHE.READ users '$probed'"
        ask "$1" "PGCACHE.KEY users '$probed'"
        ask "$1" "EXISTS '$answer'"
    done
}

# When PostgreSQL commits a change of the row, and when all nodes have dropped it, again and again.
probe_lags() { # $1: for how many seconds; $2: the file
    local end=$((SECONDS + $1)) number to committed
    while [ $SECONDS -lt "$end" ]; do
        for number in "${!asking[@]}"; do hold_row "$number"; done
        # One transaction, which ends with looking at the clock.
        echo 'UPDATE users SET visits = visits + 1 WHERE id = 0 \; SELECT EXTRACT(epoch FROM clock_timestamp());' >&"$to_probe"
        # The first byte says it.
        for number in "${!told[@]}"; do read -r -t 30 -N 1 -u "${told[number]}" _ || fail "node $number was not told"; done
        to=$EPOCHREALTIME
        read -r -t 30 -u "$from_probe" committed || fail 'no answer from PostgreSQL'
        echo "$committed $to" >>"$2"
        for number in "${!told[@]}"; do skip_lines 7 "${told[number]}"; done
    done
}

# The connections that PostgreSQL has, by what they are for.
count_connections() { # $1: nodes; $2: the feed; $3: when
    sql -F ' ' -c "SELECT '$1 $2 $3', count(*) FILTER (WHERE application_name = 'pgcache/load'), count(*) FILTER (WHERE application_name = 'pgcache/notices'),
                          count(*) FILTER (WHERE application_name = 'pgcache/definitions'), count(*) FILTER (WHERE application_name = 'pgcache/wal')
                     FROM pg_stat_activity" >>"$folder/connections"
}

# 32 clients of each node that miss, for three seconds.
load_nodes() { # $1: nodes; $2: the feed
    local number readers=()
    for number in "${!node_ports[@]}"; do
        timeout 3 redis-benchmark -p "${node_ports[number]}" -c 32 -n 100000000 -r 50000 -q PGCACHE.READ users '{"id":"__rand_int__"}' 1 >/dev/null 2>&1 &
        readers+=("$!")
    done
    sleep 2
    count_connections "$1" "$2" loaded
    wait "${readers[@]}" || true
}

measure_rate() { # $1: nodes; $2: the feed; $3: the rate
    start_writers "$3" $((seconds * 2 + 3))
    measure "$1" "$2" "$3"
    probe_lags $((seconds - 1)) "$folder/lags.$1.$2.$3"
    await_writers
}

measure_nodes() { # $1: how many; $2: the feed
    local rate
    node_pids=()
    if [ "$full_speed" = yes ]; then
        start_writers full $((seconds + 3))
        measure "$1" "$2" none
        await_writers
    fi
    start_nodes "$1" "$2"
    open_probes
    sleep 2
    count_connections "$1" "$2" idle
    measure "$1" "$2" 0
    for rate in $rates; do measure_rate "$1" "$2" "$rate"; done
    if [ "$full_speed" = yes ]; then measure_rate "$1" "$2" full; fi
    load_nodes "$1" "$2"
    close_probes
    end_nodes
}

lags() { # $1: nodes; $2: the feed; $3: the rate
    [ -s "$folder/lags.$1.$2.$3" ] || { echo '- -' && return; }
    awk '{ print ($2 - $1) * 1000 }' "$folder/lags.$1.$2.$3" | sort -n | awk '{ v[NR] = $1 } END { printf "%.1f %.1f\n", v[int((NR + 1) / 2)], v[int(NR * 0.99 + 0.5)] }'
}

print_tables() {
    printf '\nConnections\n%-8s %5s %8s %6s %8s %12s %11s\n' feed nodes when loads notices definitions walsenders
    awk '{ printf "%-8s %5d %8s %6d %8d %12d %11d\n", $2, $1, $3, $4, $5, $6, $7 }' "$folder/connections"
    printf '\nCPU in ms a second while nothing is changed\n%-8s %5s %11s %8s %12s %6s %7s %9s %6s\n' \
        feed nodes walsenders notices definitions loads others PostgreSQL nodes
    awk '$3 == "0" { printf "%-8s %5d %11.1f %8.1f %12.1f %6.1f %7.1f %9.1f %6.1f\n", $2, $1, $5, $6, $7, $8, $9, $5 + $6 + $7 + $8 + $9, $11 }' "$folder/cpu"
    printf '\nCPU in ms for 1,000 changes, and ms from COMMIT until all nodes have dropped the row\n%-8s %5s %6s %10s %11s %8s %12s %6s %7s %8s %7s %6s %6s\n' \
        feed nodes rate changes/s walsenders notices definitions loads others writers nodes p50 p99
    while read -r count feed rate figures; do
        [ "$rate" != 0 ] || continue
        echo "$count $feed $rate $figures $(lags "$count" "$feed" "$rate")"
    done <"$folder/cpu" | awk '{
        per = 1000 / $4
        printf "%-8s %5d %6s %10d %11.1f %8.1f %12.1f %6.1f %7.1f %8.1f %7.1f %6s %6s\n", $2, $1, $3, $4, $5 * per, $6 * per, $7 * per, $8 * per, $9 * per, $10 * per, $11 * per, $12, $13
    }'
    printf '\nUpdates a second at full speed, beside none that is watched\n'
    awk '$3 == "none" { none = $4 } $3 == "full" { printf "%-8s %5d %10d %10d %6.2f\n", $2, $1, $4, none, $4 / none }' "$folder/cpu"
}

# An interrupt ends a query of psql's, and not psql.
probe_pid=
trap '[ -z "$probe_pid" ] || kill "$probe_pid"; end_everything' EXIT
start_postgres -c fsync=off -c shared_buffers=256MB -c max_wal_size=4GB -c wal_level=logical -c max_connections=1000 \
    -c max_wal_senders=100 -c max_replication_slots=100
prepare
for count in $nodes; do
    for feed in $feeds; do
        echo "$feed, $count nodes, load average $(cut -d ' ' -f 1 /proc/loadavg)" >&2
        measure_nodes "$count" "$feed"
    done
done
print_tables
