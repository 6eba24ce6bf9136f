#!/usr/bin/env bash
# The server's own tests, without our module and with it: each test that passes without it has to pass with it. Their source
# comes from Debian (scripts/servers.sh). What fails only with the module runs once more, without its neighbours.
#
#   SUITE=external scripts/redis-suite.sh      one server, to which all tests connect
#   SUITE=cluster scripts/redis-suite.sh       the same in cluster mode, one node that owns all slots
#   SUITE=nodes scripts/redis-suite.sh         runtest-cluster: 20 nodes that fail over, move slots, change masters
#   SUITE=own scripts/redis-suite.sh           each test starts its servers: replication, files on disk, restarts as well
#   SUITE=all scripts/redis-suite.sh           all four, one after the other
#   SERVER=redis-8 SUITE_TESTS='unit/acl unit/multi' SUITE_MINUTES=10 SUITE_POSTGRES=1 scripts/redis-suite.sh
#
# SUITE_TESTS chooses files of tests. SUITE_MINUTES bounds each of the runs. SUITE_POSTGRES=1 gives the module a real
# PostgreSQL; else nothing listens where it looks for one. SUITE_LOGS is a folder that keeps what the runs print.
set -euo pipefail
exec 3>&2 # what a run prints goes elsewhere
cd "$(dirname "$0")/.."

suites=${SUITE:-external}
server=${SERVER:-redis-7.0}
minutes=${SUITE_MINUTES:-40}
read -ra chosen <<<"${SUITE_TESTS:-}"
module=$(realpath -m "${PGCACHE_MODULE:-${CARGO_TARGET_DIR:-$PWD/target}/release/libpgcache.so}")
differences=0
# It sets every setting to what it already is, but those that stand in a list of its own: the server's that are fixed at the start.
# That list does not know the module's.
expected='CONFIG sanity'

fail() {
    echo "redis-suite: $*" >&3
    exit 1
}

[ "$suites" != all ] || suites='external cluster nodes own'
case $server in
redis-7.0 | redis-8) brand=redis ;;
valkey-8.1) brand=valkey ;;
*) fail "unknown server $server; there are redis-7.0, redis-8, valkey-8.1" ;;
esac
for suite in $suites; do
    case $suite in external | cluster | nodes | own) ;; *) fail "unknown suite $suite; there are external, cluster, nodes, own, all" ;; esac
done
[ -f "$module" ] || fail "no module at $module; run make build"
command -v tclsh8.6 >/dev/null || fail 'needs Tcl: apt-get install tcl'
scripts/servers.sh "$server" "$server-tests"

# shellcheck source=scripts/postgres.sh
. scripts/postgres.sh

# Where the tests look for the server's programs stand scripts that start those of .servers, one of them with the module.
home_of() { # $1: without or with. A copy of the tests, with such programs.
    local home=$folder/$1 program
    cp -r ".servers/$server-tests" "$home"
    mkdir -p "$home/src" "$home/tests/tmp"
    for program in cli benchmark check-aof check-rdb sentinel; do
        write_program "$home/src/$brand-$program" "$brand-$program"
    done
    write_server "$home/src/$brand-server" "$1"
}

# A server that has written its configuration anew names the module there. Tests of the command line start without a file.
write_server() { # $1: the script; $2: without or with
    cat >"$1" <<-WRAPPER
	#!/bin/sh
	if [ $2 = with ] && [ -f "\$1" ] && ! grep -qF "loadmodule $module " "\$1"; then
	    set -- "\$@" --loadmodule "$module" pg_host 127.0.0.1 pg_port $database_port pg_user demo pg_database postgres
	fi
	exec "$PWD/.servers/$server/server" "\$@"
	WRAPPER
    chmod +x "$1"
}

write_program() { # $1: the script; $2: the program, which is either installed or among what was unpacked
    local root=$PWD/.servers/$server/root
    if [ -x "$root/usr/bin/$2" ]; then
        sed "s|root/usr/bin/$brand-server|root/usr/bin/$2|; s|--argv0 \"$brand-server\"|--argv0 \"$2\"|; s|^here=.*|here='$PWD/.servers/$server'|" \
            ".servers/$server/server" >"$1"
    else
        printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$1"
    fi
    chmod +x "$1"
}

# A process group of its own: servers that a test leaves behind, or that its time leaves no room to end, end with it.
bounded() { # $1: without or with; $2…: the command, in the folder of the tests
    local home=$folder/$1 group
    shift
    (cd "$home" && TERM=dumb exec setsid timeout --kill-after=10 "$((minutes * 60))" "$@") </dev/null &
    group=$!
    pids=("$group" "${pids[@]}")
    wait "$group" || true
    kill -KILL -- "-$group" 2>/dev/null || true
    pids=("${pids[@]:1}")
}

start_external() { # $1: without or with; $2…: options of its own
    server_port=$(free_port)
    # A folder of its own: it would load what the run before has saved.
    data=$(mktemp -d -p "$folder")
    (
        cd "$folder/$1"
        printf '%s\n' "port $server_port" 'bind 127.0.0.1' 'save ""' 'enable-protected-configs yes' 'enable-debug-command yes' \
            'enable-module-command yes' "dir $data" "${@:2}" >external.conf
        exec "src/$brand-server" external.conf
    ) >"$folder/server.log" 2>&1 &
    server_pid=$!
    pids=("$server_pid" "${pids[@]}")
    wait_until "$server" "$server_pid" pong
}

cli() { "$folder/without/src/$brand-cli" -h 127.0.0.1 -p "$server_port" "$@"; }

# shellcheck disable=SC2317  # called by wait_until
pong() { [ "$(cli PING)" = PONG ]; }

# shellcheck disable=SC2317  # called by wait_until
owns_all_slots() { cli CLUSTER INFO | grep -q cluster_state:ok; }

end_external() {
    kill -0 "$server_pid" 2>/dev/null || echo '[exception]: the server ended'
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
    pids=("${pids[@]:1}")
}

run() { # $1: the suite; $2: without or with; $3…: files of tests, all when there are none. Prints what the tests print.
    local suite=$1 way=$2 base_port file files=()
    shift 2
    base_port=$((10000 + RANDOM % 8000))
    for file in "$@"; do files+=(--single "$file"); done
    case $suite in
    external)
        start_external "$way"
        bounded "$way" ./runtest --baseport "$base_port" --host 127.0.0.1 --port "$server_port" --durable --tags -slow "${files[@]}"
        end_external
        ;;
    cluster)
        start_external "$way" 'cluster-enabled yes' 'cluster-config-file external-nodes.conf'
        cli CLUSTER ADDSLOTSRANGE 0 16383 >/dev/null
        wait_until 'the cluster' "$server_pid" owns_all_slots
        bounded "$way" ./runtest --baseport "$base_port" --host 127.0.0.1 --port "$server_port" --cluster-mode --durable --tags -slow "${files[@]}"
        end_external
        ;;
    nodes) bounded "$way" ./runtest-cluster "${files[@]}" ;;
    own) bounded "$way" ./runtest --baseport "$base_port" --clients 2 --durable --tags '-slow' "${files[@]}" ;;
    esac
}

# `passed|failed|skipped NAME FILE` for each test, separated by tabs, of what a run has printed. Files are known of those that failed, and
# of all tests of runtest-cluster, which prints OK at the end of a test, and behind whatever else it prints meanwhile.
outcomes() {
    tr -d '\r' | awk -v OFS='\t' '
        function settle() { if (open != "") print "failed", open, file; open = "" }
        /^\[ok\]: / { sub(/^\[ok\]: /, ""); sub(/ \([0-9]+ ms\)$/, ""); print "passed", $0, "" }
        /^\[(err|exception)\]: / {
            from = ""
            if (match($0, / in tests\/[^ ]*\.tcl$/)) { from = substr($0, RSTART + 10, RLENGTH - 14); $0 = substr($0, 1, RSTART - 1) }
            sub(/^\[[a-z]*\]: /, ""); print "failed", $0, from
        }
        /^\[(ignore|skip)\]: / { sub(/^\[[a-z]*\]: /, ""); print "skipped", $0, "" }
        /^Testing unit: / { settle(); file = $3; sub(/\.tcl$/, "", file) }
        /^[0-9][0-9]:[0-9][0-9]:[0-9][0-9]> / { settle(); line = $0; sub(/^[0-9:]*> /, "", line); open = line; sub(/: .*/, "", open); open = file " " open }
        /OK$/ { if (open != "") print "passed", open, file; open = "" }
        /^FAILED: / { settle() }
        END { settle() }'
}

count() { awk -F '\t' -v how="$1" '$1 == how { n++ } END { print n + 0 }' "$2"; }

names() { awk -F '\t' -v how="$1" '$1 == how { print $2 }' "$2" | sort -u; }

failed_only_with() { comm -13 <(names failed "$1") <(names failed "$2"); }

# Tests that passed without the module and did not run with it: the run ended early.
not_run_with() { comm -23 <(names passed "$1") <(awk -F '\t' '{ print $2 }' "$2" | sort -u); }

files_of() { # $1: names, a line each; $2: outcomes
    awk -F '\t' 'NR == FNR { wanted[$0]; next } $1 == "failed" && ($2 in wanted) && $3 != "" { print $3 }' "$1" "$2" | sort -u
}

keep_logs() {
    [ -z "${SUITE_LOGS:-}" ] || { mkdir -p "$SUITE_LOGS" && cp "$folder"/*.log "$folder"/*.outcomes "$SUITE_LOGS"; }
}

compare() { # $1: the suite
    local suite=$1 way log
    for way in without with; do
        log=$folder/$suite.$way
        run "$suite" "$way" "${chosen[@]}" >"$log.log" 2>&1
        outcomes <"$log.log" >"$log.outcomes"
        echo "$server $suite, $way the module: $(count passed "$log.outcomes") passed, $(count failed "$log.outcomes") failed," \
            "$(count skipped "$log.outcomes") skipped"
    done
    log=$folder/$suite
    [ "$(count passed "$log.without.outcomes")" -gt 0 ] || { tail -n 20 "$log.without.log" >&3; fail "no test passed without the module"; }
    comm -12 <(names failed "$log.without.outcomes") <(names failed "$log.with.outcomes") | sed 's/^/  fails both ways: /'
    comm -23 <(names failed "$log.without.outcomes") <(names failed "$log.with.outcomes") | sed 's/^/  fails only without the module: /'
    not_run_with "$log.without.outcomes" "$log.with.outcomes" >"$folder/missing"
    sed 's/^/  NOT RUN with the module: /' "$folder/missing"
    failed_only_with "$log.without.outcomes" "$log.with.outcomes" | grep -vxF "$expected" >"$folder/new" || true
    failed_only_with "$log.without.outcomes" "$log.with.outcomes" | grep -xF "$expected" |
        sed 's/^/  fails with the module, as expected: /' || true
    second_try "$suite" <"$folder/new" >"$folder/again"
    cat "$folder/again"
    differences=$((differences + $(wc -l <"$folder/missing") + $(grep -c '  FAILS' "$folder/again" || true)))
    keep_logs
}

second_try() { # $1: the suite; its input: names of tests that failed only with the module
    local log=$folder/$1.again name files
    mapfile -t files < <(files_of "$folder/new" "$folder/$1.with.outcomes")
    [ -s "$folder/new" ] || return 0
    run "$1" with "${files[@]}" >"$log.log" 2>&1
    outcomes <"$log.log" >"$log.outcomes"
    while read -r name; do
        if [ ${#files[@]} -gt 0 ] && names passed "$log.outcomes" | grep -qxF -- "$name" && ! names failed "$log.outcomes" | grep -qxF -- "$name"; then
            echo "  passed at the second try with the module: $name"
        else
            echo "  FAILS only with the module: $name"
        fi
    done
}

# The module takes variables of this name for settings, and warns of this one.
unset PGCACHE_MODULE
database_port=$(free_port)
[ -z "${SUITE_POSTGRES:-}" ] || start_postgres -c fsync=off
home_of without
home_of with
for suite in $suites; do compare "$suite"; done
[ "$differences" -eq 0 ] || fail "$differences tests pass without the module only"
