"""A reader with a near cache: asks for one thing after the other, and prints every answer; see near_reader.rs.

    near_reader.py <port> <key sets> <microseconds to rest> [<host>:<port> of each node of a cluster …]

A line is `<asked ns> <answered ns> <near> <Id|Email|Asked> <number> <row>`, by CLOCK_MONOTONIC, or `refused <code>`. When it
cannot connect it prints `port`, and reads the server's port. It ends when its input does.
"""

import json
import logging
import random
import sys
import threading
import time

import redis
from pgcache import PGCache, PGCacheError
from redis.cluster import ClusterNode

SETS, REST = (int(word) for word in sys.argv[2:4])
NODES = [word.rsplit(":", 1) for word in sys.argv[4:]]
# That of a cluster is no RedisError.
LOST = (redis.RedisError, redis.exceptions.RedisClusterException)
# Nobody reads what it says of nodes that are gone until the end, and the pipe is soon full.
logging.getLogger("redis.cluster").disabled = True
POPULAR = 4
QUERY = "SELECT * FROM t WHERE id = $1"


def email(number):
    """Returns the address of this number."""
    return f'"ä\\{number}"@example.com' if number % 8 == 0 else f"m{number}@example.com"


class Input(threading.Thread):
    """Reads ports until its input ends."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ports, self.is_over = [sys.argv[1]], threading.Event()
        self.start()

    def run(self):
        for line in sys.stdin:
            self.ports.append(line.strip())
        self.is_over.set()


def ask(cache):
    """Asks for something, and returns it with its key."""
    # Few rows are read so often that some are kept.
    keys = random.randrange(POPULAR if random.random() < 0.9 else SETS)
    number = 2 * keys + random.randrange(2)
    kind = random.choice(("Id", "Id", "Email", "Asked"))
    if kind == "Id":
        return kind, number, cache.read("t", id=number)
    if kind == "Asked":
        rows = cache.query(QUERY, number)
        return kind, number, rows[0] if rows else None
    number = 3 * keys + random.randrange(3)
    return kind, number, cache.read("t", email=email(number))


def read(cache, told):
    """Reads until the connection is lost, or nobody wants more."""
    core = cache._near.core
    while not told.is_over.is_set():
        hits, began = core.hits, time.monotonic_ns()
        try:
            kind, number, row = ask(cache)
        except PGCacheError as error:
            print("refused", error.code)
            # Each refusal has a client of a cluster ask all its nodes who serves what.
            time.sleep(0.05 if NODES else REST / 1e6)
            continue
        ended = time.monotonic_ns()
        print(began, ended, int(core.hits > hits), kind, number, json.dumps(row, default=str))
        time.sleep(REST / 1e6)


def connect(port):
    """Returns a client of the server, or of the cluster."""
    if not NODES:
        return redis.Redis(port=int(port), socket_timeout=20)
    nodes = [ClusterNode(host, int(port)) for host, port in NODES]
    return redis.RedisCluster(startup_nodes=nodes, socket_timeout=5)


def main():
    """Connects again and again."""
    told = Input()
    while not told.is_over.is_set():
        try:
            with PGCache(connect(told.ports[-1]), near_cache=100_000) as cache:
                read(cache, told)
        except LOST:
            print("refused lost")
            if not NODES:
                print("port", flush=True)
            time.sleep(0.01)
    sys.stdout.flush()


main()
