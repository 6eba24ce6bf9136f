#!/usr/bin/env bash
# Tells what is linked into the module besides its own code: normal dependencies of this platform, whatever only builds or tests left out.
#
#   scripts/dependencies.sh list         name, version and licence of each
#   scripts/dependencies.sh sbom         the list as CycloneDX 1.5 (JSON)
#   scripts/dependencies.sh licences     the texts of their licences
#   scripts/dependencies.sh copyright    the same for debian/copyright (DEP-5)
#   scripts/dependencies.sh --check      fails when target/release/libpgcache.so has code of something else, or a text is missing
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C

fail() {
    echo "dependencies: $*" >&2
    exit 1
}

host=$(rustc -vV | sed -n 's/^host: //p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# `cargo tree` knows the features that a build has; `cargo metadata` adds those of tests.
cargo tree --locked --edges normal,no-proc-macro --target "$host" --prefix none --format '{p}' |
    sed -E 's/^([^ ]+) v([^ ]+).*/\1 \2/' | sort -u >"$work/linked"
cargo metadata --locked --format-version 1 --filter-platform "$host" >"$work/metadata"
# Of the lock file: name, version and checksum.
awk -F '"' '/^name = /{ name = $2 } /^version = /{ version = $2 } /^checksum = /{ print name, version, $2 }' Cargo.lock >"$work/checksums"

# What all else is made of: an object for each linked package, pgcache left out, sorted by name.
jq -n --slurpfile metadata "$work/metadata" --rawfile linked "$work/linked" --rawfile checksums "$work/checksums" '
    def lines: split("\n") | map(select(. != "") | split(" "));
    ($checksums | lines | map({key: "\(.[0]) \(.[1])", value: .[2]}) | from_entries) as $sums
    | ($metadata[0].packages | map({key: "\(.name) \(.version)", value: .}) | from_entries) as $packages
    | ($metadata[0].resolve.nodes
        | map({key: .id, value: [.deps[] | select(any(.dep_kinds[]; .kind == null)) | .pkg]}) | from_entries) as $edges
    | $linked | lines | map("\(.[0]) \(.[1])" as $id | $packages[$id] | {
        id, name, version, description, authors, $id,
        reference: "pkg:cargo/\(.name)@\(.version)",
        # Older packages write MIT/Apache-2.0.
        licence: ((.license // "") | gsub(" */ *"; " OR ")),
        folder: (.manifest_path | sub("/Cargo.toml$"; "")),
        checksum: $sums[$id],
        needs: $edges[.id]
    })' >"$work/all"
jq 'map(select(.name != "pgcache"))' "$work/all" >"$work/packages"

list() {
    jq -r '.[] | "\(.name) \(.version) \(.licence)"' "$work/packages"
}

sbom() {
    local epoch
    epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
    jq --argjson epoch "$epoch" --arg rust "$(rustc -vV | sed -n 's/^release: //p')" '
        (map({key: .id, value: .reference}) | from_entries) as $references
        | map(select(.name == "pgcache"))[0] as $pgcache
        | "pkg:generic/rust-std@\($rust)" as $std
        | {
            bomFormat: "CycloneDX",
            specVersion: "1.5",
            version: 1,
            metadata: {
                timestamp: ($epoch | todate),
                component: {
                    type: "library", "bom-ref": $pgcache.reference, name: $pgcache.name, version: $pgcache.version,
                    description: $pgcache.description, licenses: [{license: {id: "MIT"}}], purl: $pgcache.reference
                }
            },
            components: (map(select(.name != "pgcache") | {
                type: "library", "bom-ref": .reference, name, version,
                description: (.description // "" | gsub("\\s+"; " ")),
                hashes: [{alg: "SHA-256", content: .checksum}],
                licenses: [{expression: .licence}], purl: .reference
            }) + [{
                type: "library", "bom-ref": $std, name: "rust-std", version: $rust,
                description: "The standard library of Rust", licenses: [{expression: "MIT OR Apache-2.0"}], purl: $std
            }]),
            dependencies: (map({
                ref: .reference,
                dependsOn: ([.needs[] | $references[.] // empty] + [$std] | unique)
            }) + [{ref: $std, dependsOn: []}])
        }' "$work/all"
}

texts() { # $1: the folder of a package: the files with its licences
    find "$1" -type f ! -name '*.rs' \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'unlicense*' -o -iname 'notice*' -o -iname 'copyright*' \) | sort
}

standard_library() { # what Rust says of its standard library, as text
    local page
    page=$(rustc --print sysroot)/share/doc/rust/COPYRIGHT-library.html
    [ -e "$page" ] || fail "this Rust comes without $(basename "$page"), which has the licences of its standard library"
    sed -e 's/<[^>]*>//g' -e 's/&lt;/</g; s/&gt;/>/g; s/&quot;/"/g; s/&#39;/'\''/g; s/&#34;/"/g; s/&amp;/\&/g' -e 's/[[:space:]]*$//' "$page" | cat -s
}

# Each text once, with the packages that have it.
licences() {
    local rule name version licence folder file sum
    rule=$(printf '=%.0s' {1..80})
    mkdir "$work/texts"
    echo "pgcache is linked with what follows; its own licence is in the file LICENSE. Behind each name stand the version and"
    echo "the licences by which the package may be used. Their texts come after the list."
    echo
    while IFS=$'\t' read -r name version licence folder; do
        if [ -z "$(texts "$folder")" ]; then
            echo "$name $version: $licence (the package has no file with a text)"
            continue
        fi
        echo "$name $version: $licence"
        while read -r file; do
            sum=$(tr -d '\r' <"$file" | sha256sum | cut -d' ' -f1)
            tr -d '\r' <"$file" >"$work/texts/$sum.text"
            echo "$name $version (${file#"$folder"/})" >>"$work/texts/$sum.names"
        done < <(texts "$folder")
    done < <(jq -r '.[] | [.name, .version, .licence, .folder] | @tsv' "$work/packages")
    echo "The standard library of Rust $(rustc -vV | sed -n 's/^release: //p'): MIT OR Apache-2.0"
    for file in "$work"/texts/*.names; do printf '%s %s\n' "$(head -1 "$file")" "$file"; done | sort | sed 's/.* //' | while read -r file; do
        printf '\n%s\n' "$rule"
        cat "$file"
        printf '%s\n\n' "$rule"
        cat "${file%.names}.text"
    done
    printf '\n%s\nThe standard library of Rust\n%s\n\n' "$rule" "$rule"
    standard_library
}

# Of several licences MIT is chosen wherever it may be.
chosen() {
    jq -r '
        def choice: if test("(^| )MIT( |$)") then "MIT" else . end;
        .[] | .licence as $licence
        | (if $licence | test(" AND ") then $licence | gsub("\\((?<or>[^()]*)\\)"; .or | choice) else $licence | choice end | gsub(" AND "; " and ")) as $chosen
        | [.name, .version, $chosen, .folder, (.authors | map(sub(" <.*"; "")) | join(", "))] | @tsv' "$work/packages"
}

holders() { # $1: the folder of a package: the lines of its licences that say who holds the copyright
    local file
    while read -r file; do tr -d '\r' <"$file"; done < <(texts "$1") |
        sed -nE 's/^[[:space:]#*/-]*(Portions )?(Copyright|©)( \([cC]\)| ©)? *([0-9].*|The .*)$/\4/p' |
        grep -vE '^[0-9, -]+$' | sed -E 's/[[:space:]]+/ /g; s/ $//; s/[.,]? All rights reserved\.?$//I' | sort -u
}

# $1: a licence: its text, as a package has it that nothing else is known of
text_of() {
    local folder
    case $1 in
    Apache-2.0) echo "On Debian systems the text is in /usr/share/common-licenses/Apache-2.0." ;;
    Unicode-3.0)
        while IFS=$'\t' read -r _ _ _ folder _; do
            ! [ -e "$folder/LICENSE-UNICODE" ] || { cat "$folder/LICENSE-UNICODE" && return; }
        done <"$work/chosen"
        ;;
    *)
        folder=$(jq -r --arg id "$1" '.[] | select(.licence == $id) | .folder' "$work/packages" | while read -r folder; do
            [ "$(texts "$folder" | wc -l)" -ne 1 ] || echo "$folder"
        done | head -1)
        [ -z "$folder" ] || grep -viE '^[[:space:]]*copyright (\(c\) )?[0-9]|all rights reserved|^#|^[[:space:]]*(the )?(MIT|ISC|zlib|BSD).{0,20}licen[cs]e( \(MIT\))?[[:space:]]*$' "$(texts "$folder")"
        ;;
    esac | tr -d '\r' | sed -E -e '/PERFORMANCE OF THIS SOFTWARE\.$/q' | sed -E -n '/^(On Debian|UNICODE|Permission|Redistribution|This software)/,$p'
}

copyright() {
    local name version licence folder authors id text
    chosen >"$work/chosen"
    while IFS=$'\t' read -r name version licence folder authors; do
        echo "Files: crates/$name-$version/*"
        { holders "$folder" | grep . || echo "${authors:-The $name developers}"; } | sed -e '1s/^/Copyright: /' -e '2,$s/^/           /'
        printf 'License: %s\n\n' "$licence"
    done <"$work/chosen"
    printf 'Files: rust-std/*\nCopyright: The Rust Project Developers\nLicense: MIT\n\n'
    cut -f3 "$work/chosen" | sed 's/ and /\n/g' | cat - <(echo MIT) | sort -u | while read -r id; do
        text=$(text_of "$id")
        [ -n "$text" ] || fail "no package has the text of $id alone"
        echo "License: $id"
        # Indented, with a dot for each empty line, none of them first.
        sed -e 's/[[:space:]]*$//' -e 's/^[[:space:]]*//' <<<"$text" | cat -s | sed -e '/./,$!d' | sed -e 's/^$/./' -e 's/^/ /'
        echo
    done
}

# Debug information names the source files of all code that is in the module.
check() {
    local module=target/release/libpgcache.so name version bad=0
    [ -e "$module" ] || fail "$module is missing: make build"
    while read -r name; do
        awk -v name="$name" '$1 "-" $2 == name { found = 1 } END { exit !found }' "$work/linked" || { echo "$module has code of $name, which the list leaves out" && bad=1; }
    done < <(grep -aoE 'registry/src/[A-Za-z0-9._-]+/[A-Za-z0-9._+-]+/' "$module" | cut -d/ -f4 | sort -u)
    sbom >"$work/sbom"
    jq -e '.components | length > 1 and all(.name and .version and .purl and (.licenses[0].expression | length > 0))' "$work/sbom" >/dev/null ||
        { echo "the SBOM lacks a name, a version or a licence" && bad=1; }
    jq -e --slurpfile all "$work/packages" '[.components[] | select(.purl | startswith("pkg:cargo/")) | select(.hashes[0].content | length == 64)]
        | length == ($all[0] | length)' "$work/sbom" >/dev/null || { echo "the SBOM lacks a package or a checksum" && bad=1; }
    licences >"$work/licences"
    while read -r name version _; do
        grep -qF "$name $version: " "$work/licences" || { echo "the licences lack $name $version" && bad=1; }
    done < <(list)
    copyright >"$work/copyright"
    [ "$bad" -ne 0 ] || echo "dependencies: $(list | wc -l) are linked, with licences and checksums"
    return "$bad"
}

case ${1:-} in
list | sbom | licences | copyright) "$1" ;;
--check) check ;;
*) fail "say what: list, sbom, licences, copyright or --check" ;;
esac
