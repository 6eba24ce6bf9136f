#!/usr/bin/env bash
# Prints the tree: each file, and the first sentence that it says of itself.
#
#   scripts/tree.sh [folder …]    prints it
#   scripts/tree.sh --check       fails when a file says nothing of itself, CONTRIBUTING has no line for a folder of src or of tests, or a document names a file of src that is not there
set -euo pipefail
cd "$(dirname "$0")/.."

headline() { # the first sentence that a file says of itself
    awk '
        /^<!doctype/ || /^\{$/ { next }
        /^<!-- / { gsub(/^<!-- | -->$/, ""); text = $0; exit } # HTML
        /^"""/ { gsub(/^"""|"""$/, ""); text = $0; exit } # Python
        /^  "description": "/ { gsub(/^  "description": "|",?$/, ""); text = $0; exit } # JSON has no comments
        /^(\/\/!?|#|--) / && !/^#!/ { sub(/^(\/\/!?|#|--) ?/, ""); text = text (text ? " " : "") $0; next }
        text { exit }
        FILENAME ~ /\.sql$/ { sub(/^ *(-- )?/, ""); text = $0; exit } # a piece of a script, which shows what it is
        END {
            if (match(text, /\. /)) text = substr(text, 1, RSTART)
            print text
        }' "$1"
}

files() { # $1…: folders; without any, all of them
    [ $# -gt 0 ] || set -- src tests benches clients scripts examples .ci build.rs
    # A lock file is its tool's own.
    git ls-files --cached --others --exclude-standard -- "$@" | grep -v '/package-lock\.json$' | LC_ALL=C sort
}

check() {
    local file folder bad=0
    while read -r file; do
        [ -n "$(headline "$file")" ] || { echo "$file does not begin with a line that says what it is" && bad=1; }
    done < <(files)
    while read -r folder; do
        grep -qF "| \`$folder/\` |" CONTRIBUTING.md || { echo "CONTRIBUTING.md has no line for the folder $folder" && bad=1; }
    done < <(files | grep / | xargs -n 1 dirname | sort -u | grep -vE "^(benches|clients/[^/]+|examples|tests/[^/]+)/")
    # shellcheck disable=SC2016  # backquotes of Markdown
    while read -r file; do
        [ -e "src/$file" ] || { echo "the documents name $file, which src does not have" && bad=1; }
    done < <(grep -ohE '`(src/)?(cache|cdc|commands|engine|http|plugins|postgres|server|settings|workers)/[a-z_/]+\.rs`' CONTRIBUTING.md docs/*.md docs/decisions/*.md \
        | tr -d '`' | sed 's|^src/||' | sort -u)
    return "$bad"
}

if [ "${1:-}" = --check ]; then
    check
else
    files "$@" | while read -r file; do printf '%-48s %s\n' "$file" "$(headline "$file")"; done
fi
