# A cluster client of redis-py or valkey-py, synchronous or not, at work with every command; see tests/cluster_clients.rs.
#
#     client.py redis|valkey sync|asyncio <port>
#
# It says `move` when it has learned who serves what and wants row 1 to move, and goes on when it reads a line.
import asyncio
import importlib
import json
import sys
import time

package, kind, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
loop = asyncio.new_event_loop()
name = {"redis": "RedisCluster", "valkey": "ValkeyCluster"}[package]
errors = importlib.import_module(f"{package}.exceptions")
refused = errors.ResponseError
module = importlib.import_module(f"{package}.asyncio.cluster" if kind == "asyncio" else f"{package}.cluster")
version = tuple(int(part) for part in importlib.import_module(package).__version__.split(".")[:2])


def wait(result):
    return loop.run_until_complete(result) if asyncio.iscoroutine(result) else result


def connect(**options):
    client = getattr(module, name)(host="127.0.0.1", port=port, decode_responses=True, **options)
    if kind == "asyncio":
        loop.run_until_complete(client.initialize())
    return client


def key(number):
    return '{"id":%d}' % number


def ask(client, *command, **options):
    return wait(client.execute_command(*command, **options))


def read(client, number, **options):
    return json.loads(ask(client, "PGCACHE.READ", "users", key(number), **options))["id"]


def pipelined(client, numbers):
    pipeline = client.pipeline()
    for number in numbers:
        pipeline.execute_command("PGCACHE.READ", "users", key(number))
    return [json.loads(row)["id"] for row in wait(pipeline.execute())]


def code(client, *command, **options):
    try:
        ask(client, *command, **options)
    except refused as error:
        return str(error).split(" ")[0]
    return "no error"


def rows(client):
    numbers = list(range(1, 31))
    assert [read(client, number) for number in numbers] == numbers
    assert ask(client, "PGCACHE.READ", "users", key(99999)) is None
    assert pipelined(client, numbers) == numbers, "a pipeline to every node"
    assert ask(client, "PGCACHE.KEY", "users", key(7)).endswith(":" + key(7))
    assert "hits" in str(ask(client, "PGCACHE.STATS", target_nodes=[client.get_default_node()]))
    assert str(ask(client, "PGCACHE.INSPECT", "users", key(7))).count("pg_cache:users") == 1
    assert ask(client, "PGCACHE.WRITE", "users", key(7), '{"id":7,"name":"written"}') == "OK"
    assert "written" in ask(client, "PGCACHE.READ", "users", key(7))
    assert ask(client, "PGCACHE.INVALIDATE", "users", key(7)) == "OK"
    assert "written" not in ask(client, "PGCACHE.READ", "users", key(7))
    many = "[%s]" % ",".join(key(number) for number in numbers)
    assert [row["id"] for row in json.loads(ask(client, "PGCACHE.MULTIREAD", "users", many))] == numbers


def queries(client, primaries):
    ask(client, "PGCACHE.DEFINE", "of", "SELECT id FROM users WHERE id = $1", target_nodes=primaries)
    assert ask(client, "PGCACHE.QUERY", "NAME", "of", "[3]") == '[{"id":3}]', "by its name"
    assert ask(client, "PGCACHE.QUERY", "SELECT id FROM users WHERE id = $1", "[4]") == '[{"id":4}]', "by its parameters"
    alone = "SELECT id FROM users WHERE id = 5"
    assert ask(client, "PGCACHE.QUERY", alone, target_nodes=primaries[:1]) == '[{"id":5}]', "by the caller"
    assert ask(client, "PGCACHE.QUERY", alone, "[]") == '[{"id":5}]', "by no parameters"


def without_key(client, primaries):
    for command in (["HEALTH"], ["STATS"], ["DEFINE", "LIST"], ["WATCH", "LIST"], ["SLOWLOG", "LEN"], ["BARRIER"]):
        ask(client, "PGCACHE." + command[0], *command[1:], target_nodes=primaries[:1])
    ask(client, "PGCACHE.FLUSH", "TABLE", "users", target_nodes=primaries)


def refusals(client):
    assert code(client, "PGCACHE.READ", "nothing", key(1)) == "PGNOTABLE"
    assert code(client, "PGCACHE.READ", "users", '{"id":"abc"}') == "PGBADVALUE"
    # redis-py takes the first word of ERR away.
    assert code(client, "PGCACHE.WRITE", "users", '{ "id": 1 }', "{}") in ("ERR", "users:"), "another spelling"


def replicas():
    client = connect(read_from_replicas=True)
    slot = client.keyslot(key(2))
    # A node names a replica once it has heard from it.
    while len(client.nodes_manager.slots_cache[slot]) < 2:
        time.sleep(0.1)
        client = connect(read_from_replicas=True)
    replica = client.nodes_manager.slots_cache[slot][1]
    assert replica.server_type == "replica"
    read(client, 2)
    assert read(client, 2, target_nodes=[replica]) == 2


def moved(client):
    read(client, 1)
    print("move", flush=True)
    sys.stdin.readline()
    assert read(client, 1) == 1
    assert pipelined(client, [1, 2]) == [1, 2]
    assert ask(client, "PGCACHE.INVALIDATE", "users", key(1)) == "OK"


def all_of(client):
    primaries = client.get_primaries()
    rows(client)
    queries(client, primaries)
    without_key(client, primaries)
    refusals(client)


all_of(connect())
if version >= (5, 0):
    all_of(connect(protocol=3))
replicas()
moved(connect())
print("done", package, version, kind)
