#!/usr/bin/env bash
# Everything a change has to pass, on a clean checkout and without a terminal. The last line counts
# the tests of all runs together.
set -euo pipefail
cd "$(dirname "$0")/.."

servers=${PGCACHE_SERVERS:-redis-7.0 valkey-8 redis-8}
# One set of flags for every step: another set would be another build of every dependency.
export RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }-D warnings"
export CARGO_TERM_COLOR=never
# Tests wait for servers more than they work: so many at a time in each run, and so many runs side by side.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
lanes=${PGCACHE_LANES:-2}
unset PGCACHE_MODULE PGCACHE_POSTGRES PGCACHE_PGBOUNCER
runs=$(mktemp -d)  # of each run: its settings, what it printed, how it ended
words=$(mktemp)    # what failed tests said, for the end of the output
# What a test could not do on this machine, a line each.
PGCACHE_NOT_RUN=$(mktemp)
export PGCACHE_NOT_RUN
newer=$(mktemp -d) # a newer PostgreSQL than the machine's, where the user that it runs as can reach it
trap 'rm -rf "$runs" "$words" "$newer" "$PGCACHE_NOT_RUN"' EXIT
# Runs in the background do not hear Ctrl-C.
trap 'trap - TERM; kill 0' INT TERM
names=() # of the runs
failed_steps=()
summary=()
# What failed at first and not by itself: told at the end, and a failure when there are more than so many.
unsteady=()
unsteady_allowed=3

step() { # $1: its name; $2…: the command. A failure is remembered and the rest still runs.
    local name=$1
    shift
    echo "== $name"
    "$@" || failed_steps+=("$name")
}

passed_and_failed() { # of the lines `test result: ok. 3 passed; 0 failed; …` in a log
    awk '/^test result:/ {
        for (i = 2; i <= NF; i++) {
            if ($i == "passed;") passed += $(i - 1)
            if ($i == "failed;") failed += $(i - 1)
        }
    } END { print passed + 0, failed + 0 }' "$1"
}

failures() { # of a log: `theme test` for each failed test; `theme -` for a theme that did not come to its end
    awk '/^ +Running (unittests|tests\/)/ { if (theme) print theme, "-"; theme = $2; sub(/^tests\//, "", theme); sub(/\.rs$/, "", theme) }
        /^test result:/ { theme = "" }
        /^test .* \.\.\. FAILED$/ { print theme, $2 }
        END { if (theme) print theme, "-" }' "$1"
}

# $1: the name of a run; $2: its settings, as `env` takes them; $3…: the arguments of `cargo test`. Begins it as soon as there is a
# lane for it.
tests() {
    local home=$runs/${#names[@]} setting=$2
    names+=("$1")
    shift 2
    mkdir "$home"
    echo "$setting" >"$home/settings"
    while [ "$(jobs -rp | wc -l)" -ge "$lanes" ]; do wait -n || true; done
    run "$home" "${names[-1]}" "$@" &
}

# Without --no-fail-fast the first failing theme would hide the others. Each run prints what it has said at its end, whole.
run() { # $1: its folder; $2: its name; $3…: the arguments of `cargo test`
    local home=$1 name=$2 settings started=$SECONDS
    shift 2
    read -ra settings <"$home/settings"
    env "${settings[@]}" cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$home/log" | progress "$name" ||
        touch "$home/failed"
    echo $((SECONDS - started)) >"$home/seconds"
    flock "$runs" cat <(echo "== tests: $name") "$home/log"
}

progress() { # $1: the name of a run: a line for each theme, as soon as it is done
    awk -v run="$1" '/^ +Running / { theme = $2 } /^test result:/ { print "-- " run ": " theme " " $0; fflush() }'
}

wait_for_runs() {
    wait
    local -i number
    for ((number = 0; number < ${#names[@]}; number++)); do conclude "${names[number]}" "$runs/$number"; done
}

# End-to-end tests share the cores with their servers, with other runs and with whoever else is on the machine. One that failed
# is run once more, alone; what it said at first and its name are told at the end, whatever comes of it.
conclude() { # $1: the name of a run; $2: its folder
    local name=$1 home=$2 counts theme test
    local -i good bad
    if [ -e "$home/failed" ]; then
        echo "-- $name" >>"$words"
        awk '/^failures:$/ { says = 1 } /^test result:/ { says = 0 } says' "$home/log" >>"$words"
        [ -n "$(failures "$home/log")" ] || failed_steps+=("tests: $name")
    fi
    counts=$(passed_and_failed "$home/log")
    good=${counts% *} bad=${counts#* }
    while read -r theme test <&3; do
        if passes_by_itself "$theme" "$test" "$home"; then
            unsteady+=("$name: $theme $test")
            good+=1 bad+=-1
        else
            failed_steps+=("$name: $theme $test")
        fi
    done 3< <(failures "$home/log")
    passed=$((passed + good))
    failed=$((failed + bad))
    summary+=("$name: $good passed, $bad failed in $(cat "$home/seconds") s")
}

# Consistency has no second chance: what it finds once has happened.
passes_by_itself() { # $1: theme; $2: test; $3: the folder of its run
    local settings
    read -ra settings <"$3/settings"
    case $1 in
    unittests | consistency) return 1 ;;
    *) [ "$2" != - ] && env "${settings[@]}" cargo test --locked --test "$1" -- --exact "$2" ;;
    esac
}

# shellcheck disable=SC2086  # a list of names
scripts/servers.sh --check $servers
scripts/install.sh test
# shellcheck disable=SC2086  # a list of names
scripts/servers.sh $servers postgresql-17
# Debian's newest, which may be away or broken for a day.
newest=
if [[ " $servers " != *" valkey-9 "* ]]; then
    if scripts/servers.sh valkey-9; then
        newest=valkey-9
    else
        echo "cluster, slot_migrations: valkey-9 is not to be had" >>"$PGCACHE_NOT_RUN"
    fi
fi
cp -R .servers/postgresql-17/. "$newer"
chmod -R go+rX "$newer"

step format cargo fmt --check
step "format of fuzz" cargo fmt --check --manifest-path fuzz/Cargo.toml
step licences scripts/licences.sh
step tree scripts/tree.sh --check
step build cargo build --release --locked
step "what is linked" scripts/dependencies.sh --check
step documents scripts/docs.sh --check
step alerts promtool check rules examples/prometheus/alerts.yml
step "alerts' tests" promtool test rules examples/prometheus/alerts_test.yml
step scrape promtool check config examples/prometheus/prometheus.yml
step dashboard jq -e "(.panels | length) > 0" examples/grafana/pgcache.json
step python scripts/python.sh
step node scripts/node.sh
step clippy cargo clippy --all-targets --locked -- -D warnings
step "clippy of fuzz" env "CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/fuzz" \
    cargo clippy --manifest-path fuzz/Cargo.toml --all-targets --locked -- -D warnings
# libFuzzer's own build takes minutes: see docs/testing.md.
step fuzz env FUZZ=plain scripts/fuzz.sh

# Themes about PostgreSQL alone: no server takes part, so once is enough.
once=(listening triggers queries_postgres wal_stream watch_rights)
# Themes that another version of PostgreSQL may change.
versioned=("${once[@]}" catalog changes keys least_privilege read_attacks rows spellings wal)

themes() { # of $1 parts the one with the number $2 of the other themes
    local file theme
    for file in tests/*.rs; do
        theme=$(basename "$file" .rs)
        [[ " ${once[*]} " == *" $theme "* ]] || echo "--test=$theme"
    done | awk -v parts="$1" -v part="$2" 'NR % parts == part % parts'
}

passed=0 failed=0
parts=3 # of each server's themes, so that no lane is idle for long at the end
step "build of the tests" cargo test --locked --no-run
for server in $servers; do
    for ((part = 1; part <= parts; part++)); do
        mapfile -t chosen < <(themes "$parts" "$part")
        tests "$server, part $part of $parts" "PGCACHE_SERVERS=$server" "${chosen[@]}"
    done
done
tests postgresql "" "${once[@]/#/--test=}"
tests "postgresql-17 and ${servers%% *}" "PGCACHE_POSTGRES=$newer/bin PGCACHE_SERVERS=${servers%% *}" "${versioned[@]/#/--test=}"
# It alone moves slots whole.
[ -z "$newest" ] || tests "$newest" "PGCACHE_SERVERS=$newest" --test=cluster --test=slot_migrations
tests unit "" --lib
tests examples "" --doc
wait_for_runs

echo
if [ -s "$words" ]; then
    echo "== what failed tests said"
    head -c 20000 "$words"
fi
[ ${#unsteady[@]} -le $unsteady_allowed ] || failed_steps+=("more than $unsteady_allowed tests passed only by themselves")
for line in "${summary[@]}"; do echo "$line"; done
for name in "${unsteady[@]}"; do echo "PASSED ONLY BY ITSELF: $name"; done
sed 's/^/COULD NOT RUN: /' "$PGCACHE_NOT_RUN"
for name in "${failed_steps[@]}"; do echo "FAILED: $name"; done
echo "$passed passed, ${#unsteady[@]} of them only by themselves and $(wc -l <"$PGCACHE_NOT_RUN") without being able to run here, $failed failed"
[ ${#failed_steps[@]} -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
