#!/usr/bin/env bash
# redis-cli for the server that the reader has started last. An error of the server's ends a shell's block.
set -eu
options=()
[ "${1:-}" = --no-raw ] || options=(-e)
PATH=$MACHINE_PATH exec redis-cli -p "$(cat "$STAGE/port")" "${options[@]}" "$@"
