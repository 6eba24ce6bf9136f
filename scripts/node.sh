#!/usr/bin/env bash
# Builds the npm package of clients/node into target/node, or checks it without a server: types, its own tests, and how much of it these run.
#
#   scripts/node.sh build    builds it, if its sources have changed
#   scripts/node.sh          builds and checks it
set -euo pipefail
cd "$(dirname "$0")/.."

least=95 # per cent of the package's lines
built=$PWD/target/node
mkdir -p target
# Tests that run side by side all want it built.
exec 9>target/node.lock
flock 9

sources() { (cd clients/node && find . -type f -not -path './node_modules/*' -not -path './dist/*' -print0 | sort -z | xargs -0 sha256sum); }

now=$(sources)
if [ "$(cat "$built/sources" 2>/dev/null)" != "$now" ]; then
    mkdir -p "$built"
    find "$built" -mindepth 1 -maxdepth 1 -not -name node_modules -exec rm -rf {} +
    cp -R clients/node/. "$built/"
    if ! cmp -s clients/node/package-lock.json "$built/node_modules/installed"; then
        (cd "$built" && npm ci --ignore-scripts --no-audit --no-fund --silent)
        cp clients/node/package-lock.json "$built/node_modules/installed"
    fi
    (cd "$built" && npm run --silent build)
    echo "$now" >"$built/sources"
fi
[ "${1:-}" != build ] || exit 0

cd "$built"
said=$(mktemp)
trap 'rm -f "$said"' EXIT
node --test --experimental-test-coverage test/*.test.js >"$said" || { cat "$said" && exit 1; }
grep -E '^# (tests|pass|fail) ' "$said"
awk -v least="$least" '/^# all files/ { split($0, part, "|"); covered = part[2] + 0 }
    END { print covered " % of the lines are covered"; exit covered < least }' "$said"
