#!/usr/bin/env bash
# Makes what a release is: target/dist/pgcache-VERSION-OS-ARCH.tar.gz with the module, documents, licences, a list of
# all that is linked (SBOM) and checksums, and the release notes beside it. The same commit and compiler make the same bytes.
#
#   scripts/dist.sh             makes them
#   scripts/dist.sh --module    builds the module of the packages alone: target/dist-build/libpgcache.so
#   scripts/dist.sh --sums      writes target/dist/SHA256SUMS anew
#   scripts/dist.sh --check     builds the last commit twice, in two folders, and fails unless all packages are the same
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C TZ=UTC
umask 022
unset CARGO_BUILD_TARGET

fail() {
    echo "dist: $*" >&2
    exit 1
}

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -1)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
built=target/dist-build/libpgcache.so

# No folder of this machine may stand in the module: not in messages of panics, not in what debuggers read. These flags
# make other object files than everyday builds have, so that they stay in a folder of their own.
build_module() {
    local target host from cargo_home sysroot commit rust=() c=()
    target=$PWD/target/dist-build
    host=$(rustc -vV | sed -n 's/^host: //p')
    commit=$(rustc -vV | sed -n 's/^commit-hash: //p')
    cargo_home=${CARGO_HOME:-$HOME/.cargo}
    sysroot=$(rustc --print sysroot)
    cargo fetch --locked --quiet --target "$host"
    map() { # $1: a folder; $2: what stands for it
        rust+=("--remap-path-prefix=$1=$2")
        c+=("$(printf %q "-ffile-prefix-map=$1=$2")")
    }
    map "$PWD" /pgcache
    map "$sysroot/lib/rustlib/src/rust" "/rustc/$commit"
    for from in "$cargo_home"/registry/src/*/; do map "${from%/}" /crates; done
    [[ $host != *musl* ]] || rust+=(-C target-feature=-crt-static)
    # A folder's name may have spaces.
    CARGO_ENCODED_RUSTFLAGS=$(printf '\x1f%s' "${rust[@]}" | cut -c2-) CFLAGS="${c[*]}" CC_SHELL_ESCAPED_FLAGS=1 \
        SOURCE_DATE_EPOCH=$epoch CARGO_TARGET_DIR=$target cargo build --release --locked --lib
    # The tables of lines are six times as large as the code.
    strip --strip-unneeded --remove-section=.comment -o "$built" "$target/release/libpgcache.so"
    for from in "$PWD" "$cargo_home" "$HOME/"; do
        [ "$from" = / ] || ! grep -qaF -- "$from" "$built" || fail "$built names the folder $from"
    done
}

# What CHANGELOG.md says of this version.
notes() {
    awk -v version="$version" '
        /^## / { inside = $2 == version || $2 == "[" version "]" }
        inside && /^## / { print "# pgcache " substr($0, 4); next }
        inside' CHANGELOG.md | cat -s
}

platform() { # as names of files have it: linux-x86_64, or linux-musl-x86_64
    rustc -vV | sed -nE 's/^host: ([^-]+)-.*/linux-\1/p' | if rustc -vV | grep -q '^host: .*musl'; then sed 's/-/-musl-/'; else cat; fi
}

pack() {
    local name root file sums
    name=pgcache-$version-$(platform)
    root=target/dist-build/$name
    build_module
    rm -rf "$root"
    mkdir -p "$root" target/dist
    # Files of the commit's folders, and not what a run has left in them.
    git ls-files -- docs examples README.md CHANGELOG.md LICENSE | while read -r file; do install -D -m 644 "$file" "$root/$file"; done
    install -m 755 "$built" "$root/libpgcache.so"
    scripts/dependencies.sh licences >"$root/THIRD-PARTY.txt"
    SOURCE_DATE_EPOCH=$epoch scripts/dependencies.sh sbom >"$root/sbom.cdx.json"
    sums=$(cd "$root" && find . -type f | sed 's|^\./||' | sort | xargs -d '\n' sha256sum)
    echo "$sums" >"$root/SHA256SUMS"
    tar --create --directory target/dist-build --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
        --mtime="@$epoch" "$name" | gzip -9 -n >"target/dist/$name.tar.gz"
    notes >"target/dist/RELEASE-NOTES-$version.md"
    [ -s "target/dist/RELEASE-NOTES-$version.md" ] || fail "CHANGELOG.md has no section for $version"
    sum_up
    ls -l target/dist/"$name.tar.gz" target/dist/"RELEASE-NOTES-$version.md"
}

sum_up() { # of what lies in target/dist
    local sums
    sums=$(cd target/dist && find . -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs -d '\n' sha256sum)
    echo "$sums" >target/dist/SHA256SUMS
}

# Two folders, two copies of cargo's packages, two users' habits: nothing of that may be seen in what comes out.
check() {
    local work cargo_home folder part
    [ -z "$(git status --porcelain)" ] || echo "dist: what is not committed is left out"
    cargo_home=${CARGO_HOME:-$HOME/.cargo}
    work=$(mktemp -d)
    # shellcheck disable=SC2064  # this folder, which a function's variable names
    trap "rm -rf '$work'" EXIT
    # Both first: somebody may commit while one is built.
    for folder in one "another/and deeper"; do git clone --quiet --no-hardlinks . "$work/$folder"; done
    (cd "$work/another/and deeper" && git checkout --quiet --detach "$(git -C "$work/one" rev-parse HEAD)")
    twin "$work/one" "$cargo_home"
    mkdir "$work/cargo"
    # The unpacked packages are left out: cargo unpacks them anew.
    for part in registry/cache registry/index config.toml; do
        [ ! -e "$cargo_home/$part" ] || { mkdir -p "$(dirname "$work/cargo/$part")" && cp -R "$cargo_home/$part" "$work/cargo/$part"; }
    done
    (chmod -R go-rwx "$work/another" && umask 077 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 twin "$work/another/and deeper" "$work/cargo")
    diff <(cd "$work/one/target/dist" && sha256sum -- *) <(cd "$work/another/and deeper/target/dist" && sha256sum -- *) ||
        fail "two builds of one commit differ"
    (cd "$work/one/target/dist" && sha256sum -- *)
    echo "dist: two builds are the same, byte by byte"
}

twin() { # $1: a clone; $2: the folder of cargo's own: makes all packages
    export CARGO_HOME=$2
    "$1/scripts/dist.sh" && { ! command -v dpkg-deb >/dev/null || "$1/scripts/deb.sh"; }
}

case ${1:-} in
'') pack ;;
--module) build_module ;;
--sums) sum_up ;;
--check) check ;;
*) fail "unknown word $1" ;;
esac
