# A throwaway PostgreSQL on a free loopback port, for the scripts that source this and have fail(). When such a script
# ends, so does every process in $pids, the last one started first, and what is in $folder is removed.
# shellcheck shell=bash
set -euo pipefail

# PostgreSQL refuses to run as root.
database_user=$(id -un)
as_database_user=()
if [ "$(id -u)" -eq 0 ]; then
    database_user=nobody
    if id postgres >/dev/null 2>&1; then database_user=postgres; fi
    as_database_user=(setpriv "--reuid=$database_user" "--regid=$(id -g "$database_user")" --clear-groups)
fi

free_port() { # below the range that the kernel hands out to outgoing connections
    local port
    while port=$((20000 + RANDOM % 10000)); do
        (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

wait_until() { # $1: what is awaited; $2: the process that has to live; $3…: the check
    local what=$1 pid=$2 deadline=$((SECONDS + 60))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$pid" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
            tail -n 20 "$folder"/*.log >&2
            fail "$what did not start"
        fi
        sleep 0.1
    done
}

start_postgres() { # $@: options of its own
    local home=$folder/postgres-${#pids[@]}
    programs=$(dirname "$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1)")
    database_port=$(free_port)
    mkdir "$home"
    chmod 711 "$folder"
    [ "$(id -u)" -ne 0 ] || chown "$database_user" "$home"
    (
        cd "$home"
        "${as_database_user[@]}" "$programs/initdb" --pgdata data --username demo --auth trust \
            --encoding UTF8 --locale C.UTF-8 --no-sync >"$folder/initdb.log" 2>&1
    ) || fail "initdb: $(cat "$folder/initdb.log")"
    # A process group of its own: Ctrl-C at the terminal is for the script, which ends it in order.
    (
        cd "$home"
        exec setsid "${as_database_user[@]}" "$programs/postgres" -D data -p "$database_port" \
            -c listen_addresses=127.0.0.1 -c unix_socket_directories= "$@"
    ) >"$folder/postgres.log" 2>&1 &
    pids=("$!" "${pids[@]}")
    wait_until PostgreSQL "$!" "$programs/pg_isready" -h 127.0.0.1 -p "$database_port"
}

# shellcheck disable=SC2317  # called by a trap
end_everything() {
    [ -z "$ended" ] || return 0
    ended=yes
    local pid
    for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$folder"
}

ended=
pids=()
folder=$(mktemp -d)
trap end_everything EXIT
trap 'exit 0' INT TERM HUP
