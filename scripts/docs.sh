#!/usr/bin/env bash
# Writes the generated parts of docs/commands.md and docs/settings.md from the tables in the source.
#
#   scripts/docs.sh            writes them
#   scripts/docs.sh --check    fails when they differ, or when a link between documents leads nowhere
set -euo pipefail
cd "$(dirname "$0")/.."

anchors() { # of the headings of a page, as GitHub makes them
    awk '/^```/ { code = !code } !code && /^#+ / {
        sub(/^#+ /, ""); text = tolower($0)
        gsub(/[^a-z0-9 _-]/, "", text); gsub(/ /, "-", text)
        print text
    }' "$1"
}

links() { # of a page: the target of each, code left out
    awk '/^```/ { code = !code } !code' "$1" | grep -oE '\]\([^)]+\)' | sed -e 's/^](//' -e 's/)$//' | grep -vE '^[a-z]+:' || true
}

check_links() {
    local page link file anchor bad=0
    while read -r page; do
        while read -r link; do
            [ -n "$link" ] || continue
            file=${link%%#*} anchor=
            [[ $link != *'#'* ]] || anchor=${link#*#}
            if [ -n "$file" ]; then file=$(dirname "$page")/$file; else file=$page; fi
            if [ ! -e "$file" ] || { [ -n "$anchor" ] && ! anchors "$file" | grep -qxF -- "$anchor"; }; then
                echo "$page: the link $link leads nowhere"
                bad=1
            fi
        done <<<"$(links "$page")"
    done < <(git ls-files --cached --others --exclude-standard -- '*.md')
    return "$bad"
}

cargo run --quiet --locked --example reference -- "$@"
[ "${1:-}" != --check ] || check_links
