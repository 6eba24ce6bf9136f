#!/usr/bin/env bash
# Unpacks the packages of target/dist as a machine would have them, and has a server load the module with the configuration that
# they bring. SERVER names the server: redis-server, valkey-server or a path.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "packages-check: $*" >&2
    [ ! -e "$work/log" ] || tail -20 "$work/log" >&2
    exit 1
}

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
work=$(mktemp -d)
server=
end() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" || true
    rm -rf "$work"
}
trap end EXIT

free_port() { # on loopback
    local port
    while port=$((20000 + RANDOM % 12000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port" && return; }
    done
}

deb=$(find target/dist -name "pgcache_$version-1_*.deb")
tarball=$(find target/dist -name "pgcache-$version-*.tar.gz")
{ [ -e "$deb" ] && [ -e "$tarball" ]; } || fail "target/dist lacks the packages of $version: make dist deb"

mkdir "$work/tarball" "$work/data" "$work/etc"
dpkg-deb --extract "$deb" "$work/deb"
! dpkg-deb --ctrl-tarfile "$deb" | tar --list | grep -E 'inst$|rm$|conffiles$' || fail "$deb runs scripts or has configuration"
tar --extract --strip-components=1 --directory "$work/tarball" --file "$tarball"
(cd "$work/tarball" && sha256sum --check --strict --quiet SHA256SUMS) || fail "the checksums of $tarball are wrong"
jq -e '.bomFormat == "CycloneDX" and (.components | length > 100)' "$work/tarball/sbom.cdx.json" >/dev/null || fail "$tarball has no SBOM"
module=$work/deb/usr/lib/redis/modules/libpgcache.so
cmp "$module" "$work/tarball/libpgcache.so" || fail "the packages have different modules"
cmp "$work/deb/usr/share/doc/pgcache/examples/pgcache.conf" "$work/tarball/examples/pgcache.conf" || fail "the packages have different configurations"

# Of the sample only addresses and folders change, and TLS is left out: nobody listens there.
echo secret | tee "$work/etc/password" >"$work/etc/analytics-password"
port=$(free_port)
nobody=$(free_port)
sed -e "s|/usr/lib/redis/modules/libpgcache.so|$module|" -e "s|/etc/pgcache|$work/etc|g" -e 's/ pg_sslmode verify-full pg_sslrootcert [^ ]*//' \
    -e "s/pg_host db1/pg_host 127.0.0.1 pg_port $nobody/" -e "s/pg_host db2/pg_host 127.0.0.1 analytics.pg_port $nobody/" \
    -e "s/http_port 9379/http_port $(free_port)/" "$work/deb/usr/share/doc/pgcache/examples/pgcache.conf" >"$work/server.conf"
cat >>"$work/server.conf" <<END
bind 127.0.0.1
port $port
dir $work/data
save ""
END
"${SERVER:-redis-server}" "$work/server.conf" >"$work/log" 2>&1 &
server=$!
ask() { redis-cli -p "$port" "$@"; }
for ((try = 0; try < 100; try++)); do
    [ "$(ask PING 2>/dev/null)" != PONG ] || break
    kill -0 "$server" 2>/dev/null || fail "the server did not start"
    sleep 0.1
done
ask --json PGCACHE.HEALTH | jq -e '.status == "unhealthy" and has("sources")' >/dev/null || fail "PGCACHE.HEALTH answers $(ask PGCACHE.HEALTH)"
ask MODULE LIST | grep -q pgcache || fail "MODULE LIST does not name pgcache"
ask PGCACHE.HELP | grep -q PGCACHE.READ || fail "PGCACHE.HELP does not name PGCACHE.READ"
ask INFO server | tr -d '\r' | sed -n 's/^\(redis\|valkey\)_version:/packages-check: loaded from the packages by &/p' | tail -1
