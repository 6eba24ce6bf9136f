#!/usr/bin/env bash
# Shows the module in a cluster: a throwaway PostgreSQL with sample data, and primaries with a replica each, all on
# free loopback ports. Stays up until Ctrl-C, then ends and removes everything it started.
#
#   CLUSTER=3 scripts/run-cluster.sh [redis-server | valkey-server | redis-8 | …]
set -euo pipefail
cd "$(dirname "$0")/.."

primaries=${CLUSTER:-3}
# shellcheck source=scripts/demo.sh
. scripts/demo.sh
[[ $primaries =~ ^[3-9]$ ]] || fail "CLUSTER=$primaries: a cluster has 3 to 9 primaries here"

cli=(redis-cli -c --raw -h 127.0.0.1)
ports=() # of the nodes
taken=() # every port that is given to somebody
rows=30  # that are read

next_port() { # into $port: one that nobody has
    port=$(free_port)
    while [[ " ${taken[*]} " == *" $port "* ]]; do port=$(free_port); done
    taken+=("$port")
}

start_node() {
    local port bus
    next_port && bus=$port
    next_port
    start_server "$port" --cluster-enabled yes --cluster-port "$bus" --cluster-node-timeout 2000
    ports+=("$port")
}

start_cluster() {
    local number
    for ((number = 0; number < 2 * primaries; number++)); do start_node; done
    redis-cli --cluster create "${ports[@]/#/127.0.0.1:}" --cluster-replicas 1 --cluster-yes >"$folder/create.log" 2>&1 ||
        fail "no cluster: $(cat "$folder/create.log")"
    for port in "${ports[@]}"; do wait_until 'the cluster' "${pids[0]}" is_up "$port"; done
}

# shellcheck disable=SC2317  # called by wait_until
is_up() { # $1: a node: it serves, and is in step with its primary if it is a replica
    at "$1" CLUSTER INFO | grep -q '^cluster_state:ok' && ! at "$1" INFO replication | grep -q '^master_link_status:down' &&
        [ "$(at "$1" CLUSTER NODES | grep -c slave)" = "$primaries" ]
}

at() { # $1: a node, asked by itself; $2…: a command
    redis-cli -h 127.0.0.1 -p "$1" "${@:2}"
}

is_primary() { at "$1" ROLE | head -n 1 | grep -q master; }

owner() { # of the row $1
    local port
    for port in "${ports[@]}"; do
        if is_primary "$port" && [[ $(at "$port" PGCACHE.KEY users "{\"id\":$1}") == pg_cache* ]]; then echo "$port"; fi
    done
}

# shellcheck disable=SC2317  # called by wait_until
read_rows() { # how many answers are rows
    for ((id = 1; id <= rows; id++)); do echo "PGCACHE.READ users '{\"id\":$id}'"; done | cli | grep -c '^{"id"'
}

# shellcheck disable=SC2317  # called by wait_until
reads_all() { [ "$(read_rows)" = "$rows" ]; }

stored() { # how many rows each primary stores
    local port
    for port in "${ports[@]}"; do
        if is_primary "$port"; then echo "    127.0.0.1:$port stores $(at "$port" --scan --pattern 'pg_cache:users*' | wc -l)"; fi
    done
}

# shellcheck disable=SC2317  # called by wait_until
is_promoted() { # $1: a node that is gone: somebody else serves its rows
    [ -n "$(owner 2)" ] && [ "$(owner 2)" != "$1" ]
}

demonstrate() {
    show 'From now on PostgreSQL tells of every change of users. It tells all nodes, whichever is asked for it.' PGCACHE.WATCH ADD users
    show 'A miss: the row comes from PostgreSQL, to the node that owns its key.' PGCACHE.READ users '{"id":2}'
    show 'A hit: the same row from that node'\''s memory.' PGCACHE.READ users '{"id":2}'
    wait_until 'all rows' "${pids[0]}" reads_all
    printf '\nRows 1 to %s are read. Each is stored once, by the primary that owns its key:\n' "$rows"
    stored
    printf '\nA query gets its name on every primary …\n'
    # shellcheck disable=SC2016  # $1 is PostgreSQL's
    call_all PGCACHE.DEFINE named 'SELECT id, name FROM users WHERE name LIKE $1 ORDER BY id LIMIT 3'
    show_a_change
    lose_a_primary
}

call_all() { # $@: a command, for every primary
    printf '  redis-cli --cluster call 127.0.0.1:%s%s --cluster-only-masters\n' "$server_port" "$(typed "$@")"
    redis-cli --cluster call "127.0.0.1:$server_port" "$@" --cluster-only-masters 2>&1 | sed -e '/>>> Calling/d' -e '/^$/d' -e 's/^/    /'
}

lose_a_primary() {
    local owner left=() port
    owner=$(owner 2)
    end_node "$owner"
    for port in "${ports[@]}"; do [ "$port" = "$owner" ] || left+=("$port"); done
    ports=("${left[@]}")
    printf '\nThe primary of that row, 127.0.0.1:%s, is killed. Its replica takes its place …\n' "$owner"
    wait_until 'the promotion' "${pids[0]}" is_promoted "$owner"
    for port in "${ports[@]}"; do wait_until 'the cluster' "${pids[0]}" serves "$port"; done
    echo "    127.0.0.1:$(owner 2) is the primary now"
    show '… and reads go on.' PGCACHE.READ users '{"id":2}'
    wait_until 'all rows' "${pids[0]}" reads_all
    printf '\nAll %s rows can be read:\n' "$rows"
    stored
}

# shellcheck disable=SC2317  # called by wait_until
serves() { at "$1" CLUSTER INFO | grep -q '^cluster_state:ok'; }

end_node() { # $1: its port. It gets no chance to say goodbye.
    local gone left=() pid
    gone=$(at "$1" INFO server | sed -n 's/^process_id:\([0-9]*\).*/\1/p')
    for pid in "${pids[@]}"; do [ "$pid" = "$gone" ] || left+=("$pid"); done
    pids=("${left[@]}")
    # The shell would print that it has been killed.
    { kill -KILL "$gone" && wait "$gone"; } 2>/dev/null || true
}

prepare
start_cluster
# The node that is asked must not be the one that is killed.
server_port=${ports[0]}
[ "$(owner 2)" != "$server_port" ] || server_port=${ports[1]}
demonstrate
cat <<END

All stay up until Ctrl-C. In another terminal you can paste the lines above, or type your own:
  redis-cli -c --raw -h 127.0.0.1 -p $server_port
  psql -h 127.0.0.1 -p $database_port -U demo shop
  redis-cli --cluster check 127.0.0.1:$server_port
A cluster client needs one node's address, 127.0.0.1:$server_port: see docs/cluster.md.
END
stay_up
