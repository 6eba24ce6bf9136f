# Reads rows through the cache of a cluster with redis-py. Start `make run CLUSTER=3`, then: python3 examples/python/cluster.py <port that it printed>
# valkey-py's ValkeyCluster has the same methods. docs/cluster.md has other libraries.
import json
import sys

from redis.cluster import RedisCluster


def key_of(**columns):
    """A lookup key as its entry is spelled: columns in the order of their names, no spaces, numbers as numbers."""
    return json.dumps(columns, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def read(client, table, **columns):
    """Returns a row, or None. The client asks the node that owns the key, as the server says."""
    row = client.execute_command("PGCACHE.READ", table, key_of(**columns))
    return row and json.loads(row)


def multiread(client, table, keys):
    """Returns rows in the order of their keys: one MULTIREAD to each node, so that all are stored and found."""
    by_node = {}
    for place, key in enumerate(keys):
        node = client.get_node_from_key(key)
        by_node.setdefault(node.name, []).append(place)
    rows = [None] * len(keys)
    for places in by_node.values():
        asked = "[%s]" % ",".join(keys[place] for place in places)
        found = json.loads(client.execute_command("PGCACHE.MULTIREAD", table, asked))
        for place, row in zip(places, found):
            rows[place] = row
    return rows


def main(port):
    client = RedisCluster(host="127.0.0.1", port=port, decode_responses=True)
    # What names no row goes to nodes that the caller chooses. WATCH acts on PostgreSQL, which tells all nodes.
    one, primaries = [client.get_default_node()], client.get_primaries()
    client.execute_command("PGCACHE.WATCH", "ADD", "users", target_nodes=one)
    print(read(client, "users", id=1)["name"])
    keys = [key_of(id=number) for number in (1, 2, 999999)]
    print([row and row["email"] for row in multiread(client, "users", keys)])
    # A pipeline goes to each node that it needs.
    pipeline = client.pipeline()
    for key in keys[:2]:
        pipeline.execute_command("PGCACHE.READ", "users", key)
    print(len(pipeline.execute()))
    # A definition, a hook or a flush is for one node: tell them all.
    definition = "SELECT email FROM users WHERE id = $1"
    client.execute_command("PGCACHE.DEFINE", "first", definition, target_nodes=primaries)
    print(client.execute_command("PGCACHE.QUERY", "NAME", "first", "[3]"))


if __name__ == "__main__":
    main(int(sys.argv[1]))
