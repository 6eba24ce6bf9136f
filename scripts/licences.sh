#!/usr/bin/env bash
# Fails when a dependency, of whatever platform, has no licence among those that deny.toml allows.
# Building cargo-deny takes minutes; this reads the same list with what is on the machine.
set -euo pipefail
cd "$(dirname "$0")/.."

allowed=$(sed -n '/^allow = \[/,/^\]/s/^ *"\(.*\)",*$/\1/p' deny.toml | jq -R . | jq -s .)

cargo metadata --format-version 1 --locked | jq -r --argjson allowed "$allowed" '
    # An expression whose licences have become 1 (allowed) or 0: AND binds tighter than OR.
    def flat: if [splits(" OR ")] | any([splits(" AND ")] | all(. == "1")) then "1" else "0" end;
    def value: if test("\\(") then gsub("\\((?<inner>[^()]*)\\)"; .inner | flat) | value else flat end;
    def licences: "(?<id>[A-Za-z0-9.+-]+( WITH [A-Za-z0-9.-]+)?)";
    def permitted:
        gsub(" */ *"; " OR ")
        | gsub(licences;
            if .id == "AND" or .id == "OR" then .id
            elif .id as $id | $allowed | index($id) then "1" else "0" end)
        | value == "1";
    .workspace_members as $ours
    | [.packages[] | select(.id as $id | $ours | index($id) | not)]
    | map(select((.license // "" | . != "" and permitted) | not)) as $refused
    | ($refused[] | "licences: \(.name) \(.version): \(.license // "no licence given")"),
      if $refused == [] then "licences: \(length) dependencies, all permissive" else ("" | halt_error(1)) end
'
