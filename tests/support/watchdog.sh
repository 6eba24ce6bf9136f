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

for process in $processes; do
    pid=${process#*:}
    # PostgreSQL's backends have process groups of their own, and a stopped one notices nothing.
    children=$(cat "/proc/$pid/task/$pid/children") || continue
    kill -CONT "$pid" $children
    kill -"${process%:*}" "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -0 "$pid" || break
        sleep 0.1
    done
    kill -KILL "$pid" $children
done
[ $# -eq 0 ] || rm -rf "$@"
