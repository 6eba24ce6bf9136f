#!/usr/bin/env bash
# Installs what building and testing need and this machine lacks. Asks nothing, does nothing when
# all is there, starts no service and leaves none enabled.
set -euo pipefail

exists() { # true when one of the files that a pattern stands for exists
    compgen -G "$1" >/dev/null
}

missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
# bindgen reads the server's header through libclang; libclang-cpp.so, of another package, is not it.
[ -n "${LIBCLANG_PATH:-}" ] || exists '/usr/lib/llvm-*/lib/libclang[.-][0-9s]*' || missing+=(libclang-dev)
command -v jq >/dev/null || missing+=(jq)
command -v setpriv >/dev/null || missing+=(util-linux)
command -v ip >/dev/null || [ -x /usr/sbin/ip ] || missing+=(iproute2)
command -v redis-server >/dev/null || missing+=(redis-server)
command -v redis-cli >/dev/null || missing+=(redis-tools)
exists '/usr/lib/postgresql/*/bin/initdb' || missing+=(postgresql)
exists '/usr/share/postgresql/*/extension/citext.control' || missing+=(postgresql-contrib)
[ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
# promtool, which reads the metrics, is in the package of the whole.
command -v promtool >/dev/null || missing+=(prometheus)
command -v chromium-headless-shell >/dev/null || missing+=(chromium-headless-shell)
[ ${#missing[@]} -gt 0 ] || exit 0

echo "install: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "install: needs root to install ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
    # Without a terminal a question for a password would wait for ever.
    [ -t 0 ] || as_root=(sudo -n)
fi

# Packages start their services unless this file refuses; one that is there already is put back.
policy=/usr/sbin/policy-rc.d
kept=$policy.kept-by-pgcache
restore_policy() {
    "${as_root[@]}" rm -f "$policy"
    [ ! -e "$kept" ] || "${as_root[@]}" mv "$kept" "$policy"
}
trap restore_policy EXIT
[ ! -e "$policy" ] || [ -e "$kept" ] || "${as_root[@]}" mv "$policy" "$kept"
printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
"${as_root[@]}" chmod 755 "$policy"

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@" </dev/null
}
had_node_exporter=
[ ! -e /etc/init.d/prometheus-node-exporter ] || had_node_exporter=yes
apt update
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
