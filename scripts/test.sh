#!/usr/bin/env bash
# Everything a change has to pass, on a clean checkout and without a terminal. The last line counts
# the tests of all runs together.
set -euo pipefail
cd "$(dirname "$0")/.."

servers=${PGCACHE_SERVERS:-redis-7.0 valkey-8 redis-8}
# One set of flags for every step: another set would be another build of every dependency.
export RUSTFLAGS="${RUSTFLAGS:+$RUSTFLAGS }-D warnings"
export CARGO_TERM_COLOR=never
# Tests wait for servers more than they work.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
unset PGCACHE_MODULE PGCACHE_POSTGRES PGCACHE_PGBOUNCER
log=$(mktemp)
words=$(mktemp) # what failed tests said, for the end of the output
# What a test could not do on this machine, a line each.
PGCACHE_NOT_RUN=$(mktemp)
export PGCACHE_NOT_RUN
newer=$(mktemp -d) # a newer PostgreSQL than the machine's, where the user that it runs as can reach it
trap 'rm -rf "$log" "$words" "$newer" "$PGCACHE_NOT_RUN"' EXIT
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

passes_by_itself() { # $1: theme; $2: test. Consistency has no second chance: what it finds once has happened.
    case $1 in
    unittests | consistency) return 1 ;;
    *) [ "$2" != - ] && cargo test --locked --test "$1" -- --exact "$2" ;;
    esac
}

# End-to-end tests share two cores with their servers and with whoever else is on the machine. One that failed is run
# once more, alone; what it said at first and its name are told at the end, whatever comes of it.
tests() { # $1: what is tested; $2…: the arguments of `cargo test`
    local name=$1 counts theme test started=$SECONDS
    local -i good bad
    shift
    echo "== tests: $name"
    # Without --no-fail-fast the first failing theme would hide the others.
    if ! cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log"; then
        echo "-- $name" >>"$words"
        awk '/^failures:$/ { says = 1 } /^test result:/ { says = 0 } says' "$log" >>"$words"
        [ -n "$(failures "$log")" ] || failed_steps+=("tests: $name")
    fi
    counts=$(passed_and_failed "$log")
    good=${counts% *} bad=${counts#* }
    while read -r theme test <&3; do
        if passes_by_itself "$theme" "$test"; then
            unsteady+=("$name: $theme $test")
            good+=1 bad+=-1
        else
            failed_steps+=("$name: $theme $test")
        fi
    done 3< <(failures "$log")
    passed=$((passed + good))
    failed=$((failed + bad))
    summary+=("$name: $good passed, $bad failed in $((SECONDS - started)) s")
}

scripts/install.sh
# shellcheck disable=SC2086  # a list of names
scripts/servers.sh $servers postgresql-17
cp -R .servers/postgresql-17/. "$newer"
chmod -R go+rX "$newer"

step format cargo fmt --check
step licences scripts/licences.sh
step tree scripts/tree.sh --check
step build cargo build --release --locked
step documents scripts/docs.sh --check
step alerts promtool check rules examples/prometheus/alerts.yml
step "alerts' tests" promtool test rules examples/prometheus/alerts_test.yml
step scrape promtool check config examples/prometheus/prometheus.yml
step dashboard jq -e "(.panels | length) > 0" examples/grafana/pgcache.json
step clippy cargo clippy --all-targets --locked -- -D warnings

# Themes about PostgreSQL alone: no server takes part, so once is enough.
once=(listening triggers queries_postgres watch_rights)
# Themes that another version of PostgreSQL may change.
versioned=("${once[@]}" catalog changes keys least_privilege read_attacks rows spellings)

themes() { # the arguments that name every other theme
    local file theme
    for file in tests/*.rs; do
        theme=$(basename "$file" .rs)
        [[ " ${once[*]} " == *" $theme "* ]] || printf -- '--test\n%s\n' "$theme"
    done
}

passed=0 failed=0
tests unit --lib
tests examples --doc
tests postgresql "${once[@]/#/--test=}"
mapfile -t every_theme < <(themes)
for server in $servers; do
    PGCACHE_SERVERS=$server tests "$server" "${every_theme[@]}"
done
PGCACHE_POSTGRES=$newer/bin PGCACHE_SERVERS=${servers%% *} tests "postgresql-17 and ${servers%% *}" "${versioned[@]/#/--test=}"

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
