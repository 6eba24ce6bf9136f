#!/usr/bin/env bash
# Puts the servers that the module is tested on into .servers/<name>/server, without installing
# anything: packages of other Debian releases are unpacked there and run with the libraries and the
# dynamic loader of their own release.
#
#   scripts/servers.sh [redis-7.0] [valkey-8] [redis-8] [postgresql-17]       (all four when none is named)
#   scripts/servers.sh valkey-8.1 valkey-9 postgresql-18                     (further ones, on request)
#   scripts/servers.sh redis-7.0-tests redis-8-tests valkey-8.1-tests        (their own tests, from Debian's source packages)
#   scripts/servers.sh --check redis-8 nonsense                              (fails when one is not known; gets none)
set -euo pipefail
cd "$(dirname "$0")/.."
servers=$PWD/.servers
known='redis-7.0 valkey-8 redis-8 valkey-8.1 valkey-9 postgresql-17 postgresql-18 redis-7.0-tests redis-8-tests valkey-8.1-tests'
scratch=

fail() {
    echo "servers: $*" >&2
    exit 1
}

# `apt-get` with its own sources, lists and package state, so that the machine's stay untouched.
# An empty package state makes it ask for every library a server needs, libc included.
private_apt() {
    APT_CONFIG=$scratch/apt.conf DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" </dev/null
}

release_here() {
    sed -n 's/^VERSION_CODENAME=//p' /etc/os-release
}

# The entry of the machine's own sources that the Debian release itself comes from, as apt
# understands them: this reads both the one-line and the deb822 format. Without release information
# it also knows the sources of a machine that has never run `apt-get update`.
debian_archive() { # $1: a field of `apt-get indextargets`
    apt-get indextargets --no-release-info --format "\$(RELEASE) \$(COMPONENT) \$($1)" 'Created-By: Packages' |
        awk -v release="$(release_here)" '$1 == release && $2 == "main" { print $3; exit }'
}

# The keyring file that entry names, if it names one.
archive_keyring() {
    local entry
    entry=$(debian_archive SOURCESENTRY)
    { grep -v '^[[:space:]]*#' "${entry%:*}" || true; } |
        sed -nE 's|.*signed-by[=:][[:space:]]*(/[^] ,]+).*|\1|Ip' | head -n 1
}

prepare_apt() {
    local archive
    archive=$(debian_archive REPO_URI)
    [ -n "$archive" ] || fail "no Debian archive among this machine's apt sources"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir -p "$scratch"/{state/lists/partial,cache/archives/partial,none}
    : >"$scratch/state/status"
    # The sandbox user of apt could not write below a private home directory.
    cat >"$scratch/apt.conf" <<-CONF
	Dir::State "$scratch/state";
	Dir::State::status "$scratch/state/status";
	Dir::Cache "$scratch/cache";
	Dir::Etc::sourcelist "$scratch/sources.list";
	Dir::Etc::sourceparts "$scratch/none";
	Dir::Etc::preferences "$scratch/none/preferences";
	Dir::Etc::preferencesparts "$scratch/none";
	APT::Sandbox::User "root";
	APT::Install-Recommends "false";
	Acquire::Retries "3";
	Acquire::Languages "none";
	CONF
    echo "$archive" >"$scratch/archive"
}

use_suites() {
    local keyring options='' suite
    keyring=$(archive_keyring)
    # An older image does not know the key of a newer release: the newest keyring package of the
    # release it does trust brings it.
    if [ -f "$scratch/keyring/usr/share/keyrings/debian-archive-keyring.gpg" ]; then
        keyring=${keyring:+$keyring,}$scratch/keyring/usr/share/keyrings/debian-archive-keyring.gpg
    fi
    [ -z "$keyring" ] || options="[signed-by=$keyring] "
    for suite in "$@"; do
        echo "deb $options$(cat "$scratch/archive") $suite main"
    done >"$scratch/sources.list"
    # Without a network apt only warns, in many lines: the first one is enough.
    private_apt -o APT::Update::Error-Mode=any update >"$scratch/said" 2>&1 ||
        fail "cannot download from $(cat "$scratch/archive"), suites $* ($(sed -nE '/^[EW]: /{s/^[EW]: *//;s/ +/ /g;s/ $//;p;q}' "$scratch/said"))"
}

trust_newer_releases() {
    [ ! -d "$scratch/keyring" ] || return 0
    use_suites "$(release_here)"
    (cd "$scratch" && private_apt download debian-archive-keyring)
    dpkg-deb -x "$scratch"/debian-archive-keyring_*.deb "$scratch/keyring"
}

# The dynamic loader in a folder of unpacked packages. A real file: the usual path of a loader is an absolute link, which
# would lead to the machine's.
loader_in() { # $1: folder
    local loader
    loader=$(find "$1"/root/lib "$1"/root/usr/lib -name 'ld-linux*.so.*' -type f -printf '%p\n' -quit 2>/dev/null || true)
    [ -n "$loader" ] || fail "no dynamic loader in the packages for $1"
    echo "${loader#"$1"/}"
}

# A script that runs a program with the loader and the libraries of its own release, and can be moved with them.
write_wrapper() { # $1: folder; $2: the program, $3: the script, both relative to the folder; $4: how the program is called
    local loader triplet up
    loader=$(loader_in "$1")
    triplet=$(basename "$(dirname "$loader")")
    up=$(dirname "$3" | sed -E 's|[^/.]+|..|g')
    cat >"$1/$3" <<-WRAPPER
	#!/bin/sh
	here=\$(cd -P "\$(dirname "\$0")/$up" && pwd)
	exec "\$here/$loader" --argv0 "$4" \\
	    --library-path "\$here/root/lib/$triplet:\$here/root/usr/lib/$triplet" "\$here/$2" "\$@"
	WRAPPER
    chmod +x "$1/$3"
}

download() { # $1: name; $2: package; $3…: the suites it comes from. Unpacks it with all that it needs.
    local new=$servers/$1.new package=$2 deb
    shift 2
    rm -rf "$new"
    mkdir -p "$new/root"
    [ -n "$scratch" ] || prepare_apt
    trust_newer_releases
    use_suites "$@"
    rm -f "$scratch"/cache/archives/*.deb
    # usr-is-merged only stands in for usrmerge, which would bring all of Perl.
    private_apt install --yes --download-only "$package" usr-is-merged >/dev/null ||
        fail "cannot download $package from $*"
    for deb in "$scratch"/cache/archives/*.deb; do
        dpkg-deb -x "$deb" "$new/root"
    done
}

unpack() { # $1: name; $2: package, and its program; $3…: the suites it comes from
    local name=$1 package=$2 new=$servers/$1.new
    download "$@"
    write_wrapper "$new" "root/usr/bin/$package" server "$package"
    keep "$name" server
}

keep() { # $1: name; $2: its program. What was unpacked takes its place, if it runs.
    local new=$servers/$1.new
    runs "$new/$2" || fail "$1 does not run here: $("$new/$2" --version 2>&1 | tail -n 1)"
    rm -rf "${servers:?}/$1"
    mv "$new" "$servers/$1"
}

# The tests that a server's source brings along, and nothing else of it.
unpack_tests() { # $1: name; $2: source package; $3: the suite it comes from
    local new=$servers/$1.new
    [ -n "$scratch" ] || prepare_apt
    trust_newer_releases
    use_suites "$3"
    sed -i 's/^deb /deb-src /' "$scratch/sources.list"
    mkdir -p "$scratch/source"
    (cd "$scratch/source" && rm -f ./* && private_apt update &&
        private_apt source --download-only --tar-only "$2" >"$scratch/said" 2>&1) ||
        fail "cannot download the source of $2 from $3 ($(tail -n 1 "$scratch/said"))"
    rm -rf "$new"
    mkdir -p "$new"
    tar -x -C "$new" --strip-components=1 --exclude='*/deps' --exclude='*/src' --exclude='*/modules' \
        -f "$scratch"/source/*.orig.tar.*
    rm -rf "${servers:?}/$1"
    mv "$new" "$servers/$1"
}

# PostgreSQL finds its other programs and its files by where it stands: the wrappers stand where Debian has its programs, and
# these elsewhere.
unpack_postgresql() { # $1: name; $2: version; $3…: the suites it comes from
    local name=$1 home=root/usr/lib/postgresql/$2 new=$servers/$1.new program
    download "$name" "postgresql-$2" "${@:3}"
    mv "$new/$home/bin" "$new/$home/programs"
    mkdir "$new/$home/bin"
    # The compiler that would run long queries is as large as all the rest.
    find "$new/root" \( -name 'libLLVM*' -o -name 'libz3*' -o -name 'llvmjit*' \) -not -type d -delete
    for program in initdb pg_basebackup pgbench postgres; do
        write_wrapper "$new" "$home/programs/$program" "$home/bin/$program" "\$here/$home/bin/$program"
    done
    ln -s "$home/bin" "$new/bin"
    keep "$name" bin/postgres
}

runs() { # $1: a server
    [ -x "$1" ] && "$1" --version >/dev/null 2>&1
}

link_installed() { # $1: name; $2: a program of this machine
    mkdir -p "$servers/$1"
    printf '#!/bin/sh\nexec %s "$@"\n' "$2" >"$servers/$1/server"
    chmod +x "$servers/$1/server"
}

provide() {
    present "$1" && return
    echo "servers: getting $1"
    case $1 in
    redis-7.0)
        # Debian 12's own package is this very version.
        if redis-server --version 2>/dev/null | grep -q ' v=7\.0\.'; then
            link_installed "$1" "$(command -v redis-server)"
        else
            unpack "$1" redis-server bookworm
        fi
        ;;
    valkey-8) unpack "$1" valkey-server bookworm bookworm-backports ;;
    redis-8) unpack "$1" redis-server trixie ;;
    # Those that CI does not need, for whoever wants to know. What Debian develops (sid) changes from day to day.
    valkey-8.1) unpack "$1" valkey-server trixie ;;
    valkey-9) unpack "$1" valkey-server sid ;;
    postgresql-17) unpack_postgresql "$1" 17 trixie ;;
    postgresql-18) unpack_postgresql "$1" 18 sid ;;
    redis-7.0-tests) unpack_tests "$1" redis bookworm ;;
    redis-8-tests) unpack_tests "$1" redis trixie ;;
    valkey-8.1-tests) unpack_tests "$1" valkey trixie ;;
    esac
}

present() { # $1: name
    case $1 in
    *-tests) [ -x "$(program_of "$1")" ] ;;
    *) runs "$(program_of "$1")" ;;
    esac
}

check() { # $1…: names
    local name
    for name in "$@"; do
        [[ " $known " == *" $name "* ]] || fail "unknown server $name; there are ${known// /, }"
    done
}

program_of() { # $1: name
    case $1 in
    postgresql-*) echo "$servers/$1/bin/postgres" ;;
    *-tests) echo "$servers/$1/runtest" ;;
    *) echo "$servers/$1/server" ;;
    esac
}

if [ "${1:-}" = --check ]; then
    shift
    check "$@"
    exit
fi
[ $# -gt 0 ] || set -- redis-7.0 valkey-8 redis-8 postgresql-17
check "$@"
mkdir -p "$servers"
for name in "$@"; do
    provide "$name"
    case $name in
    *-tests) echo "$name: $servers/$name" ;;
    *) echo "$name: $("$(program_of "$name")" --version)" ;;
    esac
done
