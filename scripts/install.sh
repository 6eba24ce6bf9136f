#!/usr/bin/env bash
# Installs what this machine lacks to build the module, to run it, or to test it. Asks nothing, does nothing when
# all is there, starts no service and leaves none enabled.
#
#   scripts/install.sh build    the compiler's needs
#   scripts/install.sh run      those, a server and PostgreSQL
#   scripts/install.sh packages what the packages are made and checked with: lintian and dpkg-dev
#   scripts/install.sh suite    those of run, and Tcl for the servers' own tests
#   scripts/install.sh test     those of run, and what tests need: poolers, Prometheus, a browser, clients of Python and Node
set -euo pipefail

fail() {
    echo "install: $*" >&2
    exit 1
}

exists() { # true when one of the files that a pattern stands for exists
    compgen -G "$1" >/dev/null
}

missing=()

to_build() {
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    # bindgen reads the server's header through libclang; libclang-cpp.so, of another package, is not it.
    [ -n "${LIBCLANG_PATH:-}" ] || exists '/usr/lib/llvm-*/lib/libclang[.-][0-9s]*' || missing+=(libclang-dev)
}

to_run() {
    command -v setpriv >/dev/null || missing+=(util-linux)
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v redis-cli >/dev/null || missing+=(redis-tools)
    exists '/usr/lib/postgresql/*/bin/initdb' || missing+=(postgresql)
}

to_test() {
    command -v jq >/dev/null || missing+=(jq)
    command -v ip >/dev/null || [ -x /usr/sbin/ip ] || missing+=(iproute2)
    exists '/usr/share/postgresql/*/extension/citext.control' || missing+=(postgresql-contrib)
    [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
    # promtool, which reads the metrics, is in the package of the whole.
    command -v promtool >/dev/null || missing+=(prometheus)
    command -v chromium-headless-shell >/dev/null || missing+=(chromium-headless-shell)
    exists '/usr/lib/python3/dist-packages/redis/__init__.py' || missing+=(python3-redis)
    exists '/usr/lib/python3/dist-packages/psycopg2/__init__.py' || missing+=(python3-psycopg2)
    # The shop of the examples.
    exists '/usr/lib/python3/dist-packages/fastapi/__init__.py' || missing+=(python3-fastapi)
    exists '/usr/lib/python3/dist-packages/uvicorn/__init__.py' || missing+=(python3-uvicorn)
    exists '/usr/lib/python3/dist-packages/psycopg_pool/__init__.py' || missing+=(python3-psycopg python3-psycopg-pool)
    # Debian has Python without what makes a virtual environment.
    exists '/usr/lib/python3*/ensurepip/__init__.py' || missing+=(python3-venv)
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    exists '/usr/share/nodejs/redis/package.json' || missing+=(node-redis)
}

to_run_suites() {
    command -v tclsh8.6 >/dev/null || missing+=(tcl)
}

to_package() {
    command -v jq >/dev/null || missing+=(jq)
    command -v lintian >/dev/null || missing+=(lintian)
    command -v dpkg-shlibdeps >/dev/null || missing+=(dpkg-dev)
    command -v redis-server >/dev/null || missing+=(redis-server)
    command -v redis-cli >/dev/null || missing+=(redis-tools)
}

case ${1:-} in
build) to_build ;;
run) to_build && to_run ;;
test) to_build && to_run && to_test ;;
suite) to_build && to_run && to_run_suites ;;
packages) to_build && to_package ;;
*) fail "say what for: build, run, test, suite or packages" ;;
esac
[ ${#missing[@]} -gt 0 ] || exit 0

echo "install: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "needs root for: apt-get install ${missing[*]}"
    as_root=(sudo)
    # Without a terminal a question for a password would wait for ever.
    [ -t 0 ] || as_root=(sudo -n)
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" </dev/null
}

# All that needs the network, before anything is changed. Of what apt says when there is none, its first line is enough.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
{ apt update && apt install --yes --no-install-recommends --download-only "${missing[@]}"; } >"$said" 2>&1 ||
    fail "this machine lacks ${missing[*]} and cannot download them ($(sed -nE '/^[EW]: /{s/^[EW]: *//;s/ +/ /g;s/ $//;p;q}' "$said"));" \
        "with a network: apt-get install ${missing[*]}"

# Packages start their services unless this file refuses; one that is there already is put back.
policy=/usr/sbin/policy-rc.d
kept=$policy.kept-by-pgcache
restore_policy() {
    "${as_root[@]}" rm -f "$policy"
    [ ! -e "$kept" ] || "${as_root[@]}" mv "$kept" "$policy"
}
trap 'rm -f "$said"; restore_policy' EXIT
[ ! -e "$policy" ] || [ -e "$kept" ] || "${as_root[@]}" mv "$policy" "$kept"
printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
"${as_root[@]}" chmod 755 "$policy"

had_node_exporter=
[ ! -e /etc/init.d/prometheus-node-exporter ] || had_node_exporter=yes
apt install --yes --no-install-recommends "${missing[@]}" >/dev/null

# Only what has just come: a service that was there before stays as it was.
for service in redis-server postgresql pgbouncer prometheus; do
    [[ " ${missing[*]} " == *" $service "* ]] || continue
    "${as_root[@]}" update-rc.d "$service" disable >/dev/null
done
# It may have come along with prometheus.
if [ -z "$had_node_exporter" ] && [ -e /etc/init.d/prometheus-node-exporter ]; then
    "${as_root[@]}" update-rc.d prometheus-node-exporter disable >/dev/null
fi
