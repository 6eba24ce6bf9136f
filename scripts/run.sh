#!/usr/bin/env bash
# Shows the module at work: a throwaway PostgreSQL with sample data and a server with the module,
# both on free loopback ports. Stays up until Ctrl-C, then ends and removes everything it started.
#
#   scripts/run.sh [redis-server | valkey-server | redis-8 | …]
set -euo pipefail
cd "$(dirname "$0")/.."

server=${1:-redis-server}
module=${PGCACHE_MODULE:-${CARGO_TARGET_DIR:-$PWD/target}/release/libpgcache.so}

fail() {
    echo "run: $*" >&2
    exit 1
}

case $server in
redis-server | redis-7.0 | redis-8 | valkey-8 | valkey-8.1 | valkey-9) ;;
valkey-server) server=valkey-8 ;;
*) fail "unknown server $server; there are redis-server, valkey-server, redis-7.0, redis-8, valkey-8, valkey-8.1, valkey-9" ;;
esac

# shellcheck source=scripts/postgres.sh
. scripts/postgres.sh
trap 'end_everything; [ ${#pids[@]} -eq 0 ] || echo Ended.' EXIT

sql() { "$programs/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$database_port" -U demo -d shop "$@"; }
cli() { redis-cli -h 127.0.0.1 -p "$server_port" "$@"; }

server_program() {
    if [ "$server" = redis-server ]; then
        command -v redis-server
    else
        scripts/servers.sh "$server" >&2
        echo "$PWD/.servers/$server/server"
    fi
}

start_server() {
    local program
    program=$(server_program)
    server_port=$(free_port)
    http_port=$(free_port)
    while [ "$http_port" = "$server_port" ]; do http_port=$(free_port); done
    setsid "$program" --bind 127.0.0.1 --port "$server_port" --save '' --dir "$folder" --loadmodule "$module" \
        pg_host 127.0.0.1 pg_port "$database_port" pg_user demo pg_database shop http_port "$http_port" >"$folder/server.log" 2>&1 &
    # The server first: it then ends without an error about a database that has gone.
    pids=("$!" "${pids[@]}")
    wait_until "$server" "$!" pong
}

# shellcheck disable=SC2317  # called by wait_until
pong() { [ "$(cli PING)" = PONG ]; }

# shellcheck disable=SC2317  # called by wait_until
reads_grace() { cli PGCACHE.READ users '{"id":2}' | grep -q Grace; }

typed() { # $@: a command, as redis-cli takes it: JSON and SQL in quotes
    local word
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9._-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
}

show() { # $1: what it shows; $2…: a command, which is printed as a shell takes it
    local title=$1
    shift
    printf '\n%s\n  redis-cli --raw -h 127.0.0.1 -p %s%s\n' "$title" "$server_port" "$(typed "$@")"
    cli "$@" 2>&1 | sed -e '/^$/d' -e 's/^/    /'
}

demonstrate() {
    local change="UPDATE users SET name = 'Grace Hopper' WHERE id = 2"
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
    show '… and its result is cached as well: nobody is called Grace …' PGCACHE.QUERY NAME named '["Grace%"]'
    printf '\n… then somebody changes the row in PostgreSQL …\n  psql -h 127.0.0.1 -p %s -U demo shop -c "%s"\n' "$database_port" "$change"
    sql -c "$change"
    wait_until 'the change' "${pids[0]}" reads_grace
    show '… and the next read sees it …' PGCACHE.READ users '{"id":2}'
    show '… as the next query does.' PGCACHE.QUERY NAME named '["Grace%"]'
}

scripts/install.sh run
if [ -z "${PGCACHE_MODULE:-}" ]; then cargo build --release --locked; fi
start_postgres -c fsync=off
"$programs/createdb" -h 127.0.0.1 -p "$database_port" -U demo shop
sql -f scripts/sample.sql
start_server
demonstrate
cat <<END

Both stay up until Ctrl-C. In another terminal you can paste the lines above, or type your own:
  redis-cli --raw -h 127.0.0.1 -p $server_port
  psql -h 127.0.0.1 -p $database_port -U demo shop
http://127.0.0.1:$http_port/ shows the cache at work, http://127.0.0.1:$http_port/metrics is for Prometheus.
END
# Waiting for a process, not sleeping, lets a signal through at once and notices a server's end.
wait -n "${pids[@]}" || true
fail "a server has ended; its log was: $(tail -n 5 "$folder/server.log")"
