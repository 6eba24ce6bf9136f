#!/usr/bin/env bash
# What change notices cost those who write: pgbench's one-row UPDATEs against a throwaway PostgreSQL with no
# trigger, the row trigger that sends whole rows, both kinds of ours, and the write-ahead log, which a server streams
# on the same machine. `logical` is no trigger with wal_level logical, which `wal` needs; all others have replica.
# Medians of rounds in turn, as ratios.
#
#   SECONDS_PER_ROUND=5 ROUNDS=5 scripts/bench-writers.sh
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${SECONDS_PER_ROUND:-5}
rounds=${ROUNDS:-5}
clients=${CLIENTS:-2 32}
kinds='none logical seed notify outbox wal'
server=${SERVER:-redis-server}
module=${PGCACHE_MODULE:-${CARGO_TARGET_DIR:-$PWD/target}/release/libpgcache.so}

fail() {
    echo "bench-writers: $*" >&2
    exit 1
}

# shellcheck source=scripts/postgres.sh
. scripts/postgres.sh

export PGOPTIONS='-c client_min_messages=warning' PGHOST=127.0.0.1 PGUSER=demo PGDATABASE=postgres
sql() { "$programs/psql" -X -q -p "$database_port" -v ON_ERROR_STOP=1 "$@"; }

prepare() {
    sql <<'SQL'
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, name text NOT NULL, visits int NOT NULL)
    WITH (fillfactor = 50, autovacuum_enabled = off);
INSERT INTO users SELECT id, 'user' || id || '@example.com', 'User ' || id, 0 FROM generate_series(1, 50000) AS id;
CREATE FUNCTION tell_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('cache_invalidation', json_build_object('table', TG_TABLE_NAME, 'operation', TG_OP,
        'old_data', row_to_json(OLD), 'new_data', row_to_json(NEW))::text);
    RETURN NULL;
END $$;
SQL
    cat >"$folder/update.sql" <<'END'
\set id random(1, 50000)
UPDATE users SET visits = visits + 1 WHERE id = :id;
END
    chmod 644 "$folder/update.sql"
    for kind in notify outbox; do
        "$watch_sql" "host=127.0.0.1 port=$database_port user=demo dbname=postgres" users "$kind" >"$folder/$kind.sql"
    done
}

cli() { redis-cli -h 127.0.0.1 -p "$server_port" "$@"; }

# shellcheck disable=SC2317  # called by wait_until
pong() { [ "$(cli PING)" = PONG ]; }

# shellcheck disable=SC2317  # called by wait_until
is_live() { cli PGCACHE.HEALTH | grep -q '^live$'; }

start_server() {
    server_port=$(free_port)
    "$server" --bind 127.0.0.1 --port "$server_port" --save '' --dir "$folder" --loadmodule "$module" \
        pg_host 127.0.0.1 pg_port "$database_port" pg_user demo pg_database postgres invalidation wal \
        >"$folder/server.log" 2>&1 &
    server_pid=$!
    pids=("$server_pid" "${pids[@]}")
    wait_until "$server" "$server_pid" pong
    wait_until 'the feed' "$server_pid" is_live
    [ "$(cli PGCACHE.WATCH ADD users)" = OK ] || fail 'WATCH ADD users'
}

end_server() {
    kill "$server_pid"
    wait "$server_pid" || true
    pids=("${pids[@]:1}")
}

install() { # $1: the kind
    case $1 in
    logical | wal) database_port=${ports[logical]} ;;
    *) database_port=${ports[replica]} ;;
    esac
    sql -c 'DROP SCHEMA IF EXISTS pgcache CASCADE' -c 'DROP TRIGGER IF EXISTS tell_all ON users' -c 'VACUUM users'
    case $1 in
    seed) sql -c 'CREATE TRIGGER tell_all AFTER INSERT OR UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION tell_all()' ;;
    notify | outbox) sql -f "$folder/$1.sql" ;;
    wal) start_server ;;
    esac
}

tps() { # $1: clients
    "$programs/pgbench" -n -M prepared -p "$database_port" -c "$1" -j 2 -T "$seconds" -f "$folder/update.sql" 2>"$folder/pgbench.log" \
        | awk '/^tps/ { print $3 }' || fail "pgbench: $(cat "$folder/pgbench.log")"
}

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

watch_sql=${WATCH_SQL:-}
if [ -z "$watch_sql" ]; then
    cargo build --quiet --locked --example watch_sql
    watch_sql=${CARGO_TARGET_DIR:-$PWD/target}/debug/examples/watch_sql
fi
# Without fsync the disk's speed says nothing; what is left is what the triggers cost.
declare -A ports
for level in logical replica; do
    start_postgres -c fsync=off -c shared_buffers=256MB -c max_wal_size=4GB -c "wal_level=$level"
    ports[$level]=$database_port
    prepare
done

# In turn, so that a noisy neighbour hits all of them.
for _ in $(seq "$rounds"); do
    for kind in $kinds; do
        install "$kind"
        for count in $clients; do
            tps "$count" >>"$folder/tps.$kind.$count"
        done
        [ "$kind" != wal ] || end_server
    done
done

printf '%-8s %8s %12s %8s\n' clients way 'updates/s' ratio
for count in $clients; do
    base=$(median <"$folder/tps.none.$count")
    for kind in $kinds; do
        median <"$folder/tps.$kind.$count" | awk -v base="$base" -v kind="$kind" -v count="$count" \
            '{ printf "%-8s %8s %12.0f %8.2f\n", count, kind, $1, $1 / base }'
    done
done
