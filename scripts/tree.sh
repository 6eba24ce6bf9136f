#!/usr/bin/env bash
# The tree in CONTRIBUTING.md, a line per file, made from the first line of each file.
#
#   scripts/tree.sh            writes it there
#   scripts/tree.sh --check    fails when it is not what stands there
set -euo pipefail
cd "$(dirname "$0")/.."

headline() { # the first sentence that a file says of itself
    awk '
        /^<!doctype/ || /^\{$/ { next }
        /^<!-- / { gsub(/^<!-- | -->$/, ""); text = $0; exit } # HTML
        /^  "description": "/ { gsub(/^  "description": "|",?$/, ""); text = $0; exit } # JSON has no comments
        /^(\/\/!|# |-- )/ && !/^#!/ { sub(/^(\/\/!|#|--) ?/, ""); text = text (text ? " " : "") $0; next }
        text { exit }
        END {
            if (match(text, /\. /)) text = substr(text, 1, RSTART)
            print text
        }' "$1"
}

tree() {
    local file
    echo '```'
    git ls-files --cached --others --exclude-standard -- 'src/*' 'tests/*' 'benches/*' 'scripts/*' 'examples/*' '.ci/*' build.rs \
        | LC_ALL=C sort \
        | while read -r file; do printf '%-48s %s\n' "$file" "$(headline "$file")"; done
    echo '```'
}

contributing=$(awk '/^## Tree/ { exit } { print }' CONTRIBUTING.md; echo '## Tree'; echo; tree)
if [ "${1:-}" = --check ]; then
    diff <(echo "$contributing") CONTRIBUTING.md || {
        echo 'The tree in CONTRIBUTING.md is out of date: run scripts/tree.sh'
        exit 1
    }
else
    echo "$contributing" >CONTRIBUTING.md
fi
