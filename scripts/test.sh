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
unset PGCACHE_MODULE
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed_steps=()
summary=()

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

tests() { # $1: what is tested; $2…: the arguments of `cargo test`
    local name=$1 counts started=$SECONDS
    shift
    echo "== tests: $name"
    # Without --no-fail-fast the first failing theme would hide the others.
    if ! cargo test --locked --no-fail-fast "$@" 2>&1 | tee "$log"; then
        failed_steps+=("tests: $name")
    fi
    counts=$(passed_and_failed "$log")
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
    summary+=("$name: ${counts% *} passed, ${counts#* } failed in $((SECONDS - started)) s")
}

scripts/install.sh
# shellcheck disable=SC2086  # a list of names
scripts/servers.sh $servers

step format cargo fmt --check
step licences scripts/licences.sh
step tree scripts/tree.sh --check
step build cargo build --release --locked
step alerts promtool check rules examples/prometheus/alerts.yml
step "alerts' tests" promtool test rules examples/prometheus/alerts_test.yml
step scrape promtool check config examples/prometheus/prometheus.yml
step dashboard jq -e "(.panels | length) > 0" examples/grafana/pgcache.json
step clippy cargo clippy --all-targets --locked -- -D warnings

# Themes about PostgreSQL alone: no server takes part, so once is enough.
once=(listening triggers)

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

echo
for line in "${summary[@]}"; do echo "$line"; done
for name in "${failed_steps[@]}"; do echo "FAILED: $name"; done
echo "$passed passed, $failed failed"
[ ${#failed_steps[@]} -eq 0 ] && [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
