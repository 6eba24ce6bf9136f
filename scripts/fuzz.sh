#!/usr/bin/env bash
# Feeds each target in fuzz/ for $1 seconds, beginning with its seeds: by libFuzzer (10 s) where nightly and cargo-fuzz are there, and by
# plain tests (2 s) otherwise, or where FUZZ=plain. FUZZ_TARGETS names some targets instead of all.
# Both ask a throwaway PostgreSQL, which ends with the script, what it makes of the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

way=${FUZZ:-libfuzzer}
read -ra targets <<<"${FUZZ_TARGETS:-$(cd fuzz/seeds && echo *)}"
longest=4096 # bytes of an input

fail() {
    echo "fuzz.sh: $*" >&2
    exit 1
}

could_not_run() { # $1: what, and why
    echo "fuzz.sh: $1" >&2
    [ -z "${PGCACHE_NOT_RUN:-}" ] || echo "fuzz: $1" >>"$PGCACHE_NOT_RUN"
}

# shellcheck source=scripts/postgres.sh
. scripts/postgres.sh
if compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
    # shellcheck disable=SC2119  # no options of its own
    start_postgres
    export PGCACHE_FUZZ_POSTGRES="host=127.0.0.1 port=$database_port user=demo dbname=postgres"
else
    could_not_run "there is no PostgreSQL to ask what it makes of keys, names and parameters"
fi

if [ "$way" != plain ] && ! { cargo +nightly --version && cargo +nightly fuzz --version; } >/dev/null 2>&1; then
    could_not_run "libFuzzer takes a nightly toolchain and cargo-fuzz: plain tests ran over the seeds instead"
    way=plain
fi

failed=()
if [ "$way" = plain ]; then
    seconds=${1:-2}
    # Not beside the builds of the package itself: a library that servers load too has no hash in its name, so that each build would
    # put its own in the place of the other's, with other versions of its dependencies.
    export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/fuzz
    for target in "${targets[@]}"; do
        PGCACHE_FUZZ_SECONDS=$seconds PGCACHE_FUZZ_TARGET=$target \
            cargo test --locked --manifest-path fuzz/Cargo.toml --test corpus -- --nocapture || failed+=("$target")
    done
    [ ${#failed[@]} -eq 0 ] || fail "not as it has to be: ${failed[*]}"
    exit
fi

seconds=${1:-10} log=$folder/fuzz.out
cd fuzz
cargo +nightly fuzz build --features libfuzzer
for target in "${targets[@]}"; do
    mkdir -p "corpus/$target"
    # What was found in runs before, and the seeds, which stay as they are.
    if cargo +nightly fuzz run --features libfuzzer "$target" "corpus/$target" "seeds/$target" -- \
        "-max_total_time=$seconds" "-max_len=$longest" -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 >"$log" 2>&1; then
        executed=$(awk '/stat::number_of_executed_units/ { print $2 }' "$log")
        echo "fuzz.sh: $target: $executed inputs in $seconds s"
    else
        tail -n 60 "$log"
        failed+=("$target")
    fi
done
[ ${#failed[@]} -eq 0 ] || fail "not as it has to be: ${failed[*]} (the inputs are in fuzz/artifacts)"
