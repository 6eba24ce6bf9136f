#!/usr/bin/env bash
# Unpacks the packages of target/dist as a machine would have them, and has a server load the module with the configuration that
# they bring. SERVER names the server: redis-server, valkey-server or a path.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "packages-check: $*" >&2
    [ ! -e "${folder:-}/server.log" ] || tail -20 "$folder/server.log" >&2
    exit 1
}

# Free ports, a folder, and the end of what is started.
# shellcheck source=scripts/postgres.sh
. scripts/postgres.sh
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
deb=$(find target/dist -name "pgcache_$version-1_*.deb")
tarball=$(find target/dist -name "pgcache-$version-*.tar.gz")
{ [ -e "$deb" ] && [ -e "$tarball" ]; } || fail "target/dist lacks the packages of $version: make dist deb"

mkdir "$folder/tarball" "$folder/data" "$folder/etc"
dpkg-deb --extract "$deb" "$folder/deb"
! dpkg-deb --ctrl-tarfile "$deb" | tar --list | grep -E 'inst$|rm$|conffiles$' || fail "$deb runs scripts or has configuration"
tar --extract --strip-components=1 --directory "$folder/tarball" --file "$tarball"
(cd "$folder/tarball" && sha256sum --check --strict --quiet SHA256SUMS) || fail "the checksums of $tarball are wrong"
jq -e '.bomFormat == "CycloneDX" and (.components | length > 100)' "$folder/tarball/sbom.cdx.json" >/dev/null || fail "$tarball has no SBOM"
module=$folder/deb/usr/lib/redis/modules/libpgcache.so
cmp "$module" "$folder/tarball/libpgcache.so" || fail "the packages have different modules"
cmp "$folder/deb/usr/share/doc/pgcache/examples/pgcache.conf" "$folder/tarball/examples/pgcache.conf" || fail "the packages have different configurations"

# Of the sample only addresses and folders change, and TLS is left out: nobody listens there.
echo secret | tee "$folder/etc/password" >"$folder/etc/analytics-password"
port=$(free_port)
nobody=$(free_port)
sed -e "s|/usr/lib/redis/modules/libpgcache.so|$module|" -e "s|/etc/pgcache|$folder/etc|g" -e 's/ pg_sslmode verify-full pg_sslrootcert [^ ]*//' \
    -e "s/pg_host db1/pg_host 127.0.0.1 pg_port $nobody/" -e "s/pg_host db2/pg_host 127.0.0.1 analytics.pg_port $nobody/" \
    -e "s/http_port 9379/http_port $(free_port)/" "$folder/deb/usr/share/doc/pgcache/examples/pgcache.conf" >"$folder/server.conf"
cat >>"$folder/server.conf" <<END
bind 127.0.0.1
port $port
dir $folder/data
save ""
END
"${SERVER:-redis-server}" "$folder/server.conf" >"$folder/server.log" 2>&1 &
pids=("$!" "${pids[@]}")
ask() { redis-cli -p "$port" "$@"; }
answers() { [ "$(ask PING)" = PONG ]; }
wait_until "the server" "$!" answers
ask --json PGCACHE.HEALTH | jq -e '.status == "unhealthy" and has("sources")' >/dev/null || fail "PGCACHE.HEALTH answers $(ask PGCACHE.HEALTH)"
ask MODULE LIST | grep -q pgcache || fail "MODULE LIST does not name pgcache"
ask PGCACHE.HELP | grep -q PGCACHE.READ || fail "PGCACHE.HELP does not name PGCACHE.READ"
ask INFO server | tr -d '\r' | sed -n 's/^\(redis\|valkey\)_version:/packages-check: loaded from the packages by &/p' | tail -1
