# Reads what a test process has started; once its input ends, so has that process.
# shellcheck shell=sh disable=SC2086  # lists of numbers
processes=' '
while read -r word rest; do
    case $word in
    process) processes="$processes$rest " ;;
    ended) processes=$(echo "$processes" | sed "s/ [A-Z]*:$rest / /") ;;
    folder) set -- "$@" "$rest" ;;
    esac
done

began() { # When process $1 began: another one with its number began later.
    sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20
}

for process in $processes; do
    pid=${process#*:}
    # PostgreSQL's backends have process groups of their own, and a stopped one notices nothing.
    children=$(cat "/proc/$pid/task/$pid/children") || continue
    marks=''
    for one in $pid $children; do marks="$marks $one:$(began "$one")"; done
    kill -CONT "$pid" $children
    kill -"${process%:*}" "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -0 "$pid" || break
        sleep 0.1
    done
    # Most have ended by now, and their numbers may be strangers' already.
    for mark in $marks; do
        [ -z "${mark#*:}" ] || [ "$(began "${mark%:*}")" != "${mark#*:}" ] || kill -KILL "${mark%:*}"
    done
done
[ $# -eq 0 ] || rm -rf "$@"
