# Counts stale reads: 20 clients read and change 20 rows, first through hand-written cache-aside code, then through pgcache.
#
# A read is stale when it returns a version of its row that is older than one whose COMMIT had returned at least ALLOWANCE seconds
# before the read began: so long may a change take to be heard. Start `make run`, then, with the two ports that it prints:
#   python3 examples/python/stale_reads.py <redis port> <postgres port> [seconds] [allowance]
import json
import random
import sys
import threading
import time

import psycopg2
import redis

REDIS, POSTGRES = int(sys.argv[1]), f"host=127.0.0.1 port={sys.argv[2]} user=demo dbname=shop"
SECONDS, ALLOWANCE = float((sys.argv[3:] + ["10"])[0]), float((sys.argv[4:] + ["0.05"])[0])
# One request in ten is a change. Requests of a client are 10 ms apart on average.
CLIENTS, ROWS, CHANGES, PAUSE = 20, 20, 0.1, 0.02
# Life of what is cached by hand, and how long an application takes to make it of what SELECT returns (an object, a page), in seconds.
TTL, WORK = 60, 0.005


class CacheAside:
    """The usual code: GET, on a miss SELECT and SET with a time to live; DEL after COMMIT."""

    def read(self, cache, cursor, id):
        found = cache.get(f"item:{id}")
        if found is None:
            cursor.execute("SELECT row_to_json(item)::text FROM item WHERE id = %s", [id])
            found = cursor.fetchone()[0]
            time.sleep(WORK)
            cache.set(f"item:{id}", found, ex=TTL)
        return json.loads(found)["version"]

    def changed(self, cache, id):
        cache.delete(f"item:{id}")


class Pgcache:
    """One command, and nothing to do after COMMIT."""

    def read(self, cache, cursor, id):
        return json.loads(cache.execute_command("PGCACHE.READ", "item", json.dumps({"id": id})))["version"]

    def changed(self, cache, id):
        pass


def connect():
    database = psycopg2.connect(POSTGRES)
    database.autocommit = True  # each statement is a transaction, and returns after its COMMIT
    return redis.Redis(port=REDIS, decode_responses=True), database.cursor()


def client(way, committed, reads, end):
    cache, cursor = connect()
    while time.monotonic() < end:
        time.sleep(random.random() * PAUSE)
        id = random.randint(1, ROWS)
        if random.random() < CHANGES:
            cursor.execute("UPDATE item SET version = version + 1 WHERE id = %s RETURNING version", [id])
            committed[id].append((time.monotonic(), cursor.fetchone()[0]))
            way.changed(cache, id)
        else:
            heard = time.monotonic() - ALLOWANCE
            newest = max((version for at, version in committed[id] if at <= heard), default=0)
            reads.append(way.read(cache, cursor, id) < newest)


def count(way):
    cache, cursor = connect()
    cursor.execute("DROP TABLE IF EXISTS item; CREATE TABLE item (id int PRIMARY KEY, version int NOT NULL)")
    cursor.execute("INSERT INTO item SELECT id, 0 FROM generate_series(1, %s) id", [ROWS])
    cache.execute_command("PGCACHE.WATCH", "ADD", "item")
    committed, reads, end = {id: [] for id in range(1, ROWS + 1)}, [], time.monotonic() + SECONDS
    for id in committed:
        way.changed(cache, id)
    clients = [threading.Thread(target=client, args=(way, committed, reads, end)) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    print(f"{type(way).__name__}: {sum(reads)} stale of {len(reads)} reads", flush=True)


for way in CacheAside(), Pgcache():
    count(way)
