# Hits through a cluster client against GET of the same entries through the same client, in turns: prints the ratio of their rates.
#
#   python3 benches/cluster/hits.py <port of any node of `make run CLUSTER=3`> [rounds]
import statistics
import sys
import time

from redis.cluster import RedisCluster

ROWS, READS = 20, 500


def rate(client, commands):
    began = time.perf_counter()
    for index in range(READS):
        client.execute_command(*commands[index % len(commands)])
    return READS / (time.perf_counter() - began)


def main(port, rounds):
    client = RedisCluster(host="127.0.0.1", port=port, decode_responses=True)
    # All on one node, whose hits and GETs are compared.
    keys = ['{"id":%d}' % number for number in range(1, 500)]
    node = client.get_node_from_key(keys[0])
    keys = [key for key in keys if client.get_node_from_key(key).name == node.name][:ROWS]
    reads = [("PGCACHE.READ", "users", key) for key in keys]
    rows = [client.execute_command(*read) for read in reads]
    gets = [("GET", client.execute_command("PGCACHE.KEY", "users", key)) for key in keys]
    assert rows == [client.execute_command(*get) for get in gets]
    # The client learns of GET without asking the server, and so it should of READ.
    pairs = [(rate(client, reads), rate(client, gets)) for _ in range(rounds)]
    ratios = sorted(read / get for read, get in pairs)
    print("hits %.0f/s, GET %.0f/s" % tuple(statistics.median(side) for side in zip(*pairs)))
    print("ratio %.3f (quartiles %.3f and %.3f)" % (statistics.median(ratios), ratios[rounds // 4], ratios[-1 - rounds // 4]))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 40)
