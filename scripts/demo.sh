# What the demonstrations share: which server they run, what they print, and the PostgreSQL with sample data beneath them.
# For scripts that source this, are called with the name of a server or none, and have pids end and folder removed at their end.
# shellcheck shell=bash
set -euo pipefail

module=${PGCACHE_MODULE:-${CARGO_TARGET_DIR:-$PWD/target}/release/libpgcache.so}
server=${1:-redis-server}
cli=(redis-cli --raw -h 127.0.0.1) # how to ask
server_port=                       # whom

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
cli() { "${cli[@]}" -p "$server_port" "$@"; }

server_program() {
    if [ "$server" = redis-server ]; then
        command -v redis-server
    else
        scripts/servers.sh "$server" >&2
        echo "$PWD/.servers/$server/server"
    fi
}

prepare() { # builds the module and starts PostgreSQL
    scripts/install.sh run
    if [ -z "${PGCACHE_MODULE:-}" ]; then cargo build --release --locked; fi
    program=$(server_program)
    start_postgres -c fsync=off
    "$programs/createdb" -h 127.0.0.1 -p "$database_port" -U demo shop
    sql -f scripts/sample.sql
}

# The server first: it then ends without an error about a database that has gone.
start_server() { # $1: its port; $2…: further settings of the module, or options of the server
    local port=$1 home=$folder/server-$1
    shift
    mkdir "$home"
    # A process group of its own: Ctrl-C at the terminal is for the script, which ends it in order.
    setsid "$program" --bind 127.0.0.1 --port "$port" --save '' --dir "$home" --loadmodule "$module" \
        pg_host 127.0.0.1 pg_port "$database_port" pg_user demo pg_database shop "$@" >"$home.log" 2>&1 &
    pids=("$!" "${pids[@]}")
    wait_until "$server" "$!" pong "$port"
}

# shellcheck disable=SC2317  # called by wait_until
pong() { [ "$(redis-cli -h 127.0.0.1 -p "$1" PING)" = PONG ]; }

typed() { # $@: a command, as redis-cli takes it: JSON and SQL in quotes
    local word
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9._:-]*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
}

show() { # $1: what it shows; $2…: a command, which is printed as a shell takes it
    local title=$1
    shift
    printf '\n%s\n  %s -p %s%s\n' "$title" "${cli[*]}" "$server_port" "$(typed "$@")"
    cli "$@" 2>&1 | sed -e '/^$/d' -e 's/^/    /'
}

# shellcheck disable=SC2317  # called by wait_until
reads_grace() { cli PGCACHE.READ users '{"id":2}' | grep -q Grace; }

show_a_change() { # of row 2, which is watched and cached, and of what the query `named` finds
    local change="UPDATE users SET name = 'Grace Hopper' WHERE id = 2"
    show '… and its result is cached as well: nobody is called Grace …' PGCACHE.QUERY NAME named '["Grace%"]'
    printf '\n… then somebody changes the row in PostgreSQL …\n  psql -h 127.0.0.1 -p %s -U demo shop -c "%s"\n' "$database_port" "$change"
    sql -c "$change"
    wait_until 'the change' "${pids[0]}" reads_grace
    show '… and the next read sees it …' PGCACHE.READ users '{"id":2}'
    show '… as the next query does.' PGCACHE.QUERY NAME named '["Grace%"]'
}

stay_up() { # until Ctrl-C
    # Waiting for a process, not sleeping, lets a signal through at once and notices a server's end.
    wait -n "${pids[@]}" || true
    fail "a server has ended; its log was: $(tail -n 5 "$folder"/server-*.log)"
}
