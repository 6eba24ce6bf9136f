#!/usr/bin/env bash
# Makes target/dist/pgcache_VERSION-1_ARCH.deb, a package for Debian and Ubuntu, and has lintian judge it. The same commit
# and compiler make the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C TZ=UTC
umask 022

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)-1
architecture=$(dpkg --print-architecture)
maintainer=${PGCACHE_MAINTAINER:-The pgcache authors <packages@pgcache.invalid>}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
documents=$root/usr/share/doc/pgcache

scripts/dist.sh --module
chmod 755 "$work"
# Redis loads no module without the right to execute it.
install -D -m 755 target/dist-build/libpgcache.so "$root/usr/lib/redis/modules/libpgcache.so"
install -D -m 644 packaging/lintian-overrides "$root/usr/share/lintian/overrides/pgcache"
git ls-files -- docs README.md examples/pgcache.conf examples/role.sql examples/grafana examples/prometheus | while read -r file; do
    install -D -m 644 "$file" "$documents/$file"
done
install -D -m 644 packaging/systemd.conf "$documents/examples/systemd/pgcache.conf"
scripts/dependencies.sh licences | gzip -9 -n >"$documents/THIRD-PARTY.gz"
{ cat packaging/copyright && scripts/dependencies.sh copyright; } >"$documents/copyright"
gzip -9 -n <CHANGELOG.md >"$documents/changelog.gz"
gzip -9 -n >"$documents/changelog.Debian.gz" <<END
pgcache ($version) unstable; urgency=medium

  * New version: changelog.gz says what it brings, and docs/operations.md
    how to upgrade.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END
mkdir -p "$root/usr/share/man/man7"
sed -e "s/@VERSION@/${version%-*}/" -e "s/@DATE@/$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)/" packaging/pgcache.7 |
    gzip -9 -n >"$root/usr/share/man/man7/pgcache.7.gz"

# dpkg-shlibdeps reads a source package, of which this is all that it asks for.
mkdir -p "$work/debian" "$root/DEBIAN"
printf 'Source: pgcache\n\nPackage: pgcache\nArchitecture: any\n' >"$work/debian/control"
libraries=$(cd "$work" && dpkg-shlibdeps -O -eroot/usr/lib/redis/modules/libpgcache.so | sed -n 's/^shlibs:Depends=//p')
(cd "$root" && find usr -type f | sort | xargs -d '\n' md5sum) >"$work/md5sums"
install -m 644 "$work/md5sums" "$root/DEBIAN/md5sums"
cat >"$root/DEBIAN/control" <<END
Package: pgcache
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(find "$root/usr" -type f -printf '%s\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }')
Depends: $libraries
Recommends: redis-server (>= 5:7.0) | valkey-server
Suggests: postgresql
Section: database
Priority: optional
$(cat packaging/description)
END
find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

package=target/dist/pgcache_${version}_$architecture.deb
mkdir -p target/dist
# More threads may cut the archive into other blocks.
dpkg-deb --root-owner-group --threads-max=1 -Zxz --build "$root" "$package" >/dev/null
scripts/dist.sh --sums
ls -l "$package"
lintian --fail-on error,warning "$package"
echo "deb: lintian has no errors and no warnings"
