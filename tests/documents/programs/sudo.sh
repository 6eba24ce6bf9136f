#!/usr/bin/env bash
# Runs a command as the reader, who may write wherever the page writes: its folders stand for those of the machine.
set -eu
words=()
while [ $# -gt 0 ]; do
    case $1 in
    -u | -o) shift ;; # the user postgres or redis
    *) words+=("$1") ;;
    esac
    shift
done
exec "${words[@]}"
