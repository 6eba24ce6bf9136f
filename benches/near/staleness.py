# How old near hits are: another process changes rows again and again, and a thread reads them near by all the time. For each
# change: for how long after COMMIT had returned was the row of before served? With a process id the server is stopped for three
# seconds and its listeners are killed, again and again: then too no near hit may be older than max_staleness_ms.
#
#   PYTHONPATH=clients/python python3 benches/near/staleness.py <redis port> <postgres port> [seconds] [server's process id]
import multiprocessing
import os
import signal
import sys
import threading
import time

import psycopg2
import redis
from pgcache import PGCache

ROWS, VERSIONS, PAUSE = 10, 10_000, 0.01


def connect(port):
    """Returns a connection to the PostgreSQL of `make run`."""
    connection = psycopg2.connect(host="127.0.0.1", port=port, user="demo", dbname="shop")
    connection.autocommit = True
    return connection.cursor()


def write(port, outdated, end):
    """Changes one row after the other, and notes since when each version of it is out of date."""
    cursor = connect(port)
    for number in range(ROWS * VERSIONS):
        if end.wait(PAUSE):
            return
        row, version = number % ROWS, number // ROWS
        cursor.execute("UPDATE near SET version = %s WHERE id = %s", (version + 1, row))
        outdated[row * VERSIONS + version] = time.monotonic()


def trouble(port, pid, end):
    """Stops the server for three seconds, and kills those who listen, in turns."""
    while not end.wait(2):
        os.kill(pid, signal.SIGSTOP)
        end.wait(3)
        os.kill(pid, signal.SIGCONT)
        if not end.wait(2):
            redis.Redis(port=port).client_kill_filter(_type="pubsub")


def read(cache, outdated, end):
    """Reads near by, some rows at a time, and returns for how long each version that was out of date was served."""
    ages, number = {}, 0
    while not end.is_set():
        number += 1
        if number % 20 == 0:
            time.sleep(0.0002)  # whoever reads rows does something with them
        row, before, began = number % ROWS, cache.near_stats()["hits"], time.monotonic()
        try:
            shown = cache.read("near", id=row)["version"]
        except redis.RedisError:
            continue
        if cache.near_stats()["hits"] > before:
            since = outdated[row * VERSIONS + shown]
            if 0 < since < began:
                ages[row, shown] = began - since
    return ages


def main(redis_port, postgres_port, seconds, pid):
    """Prepares the table, and measures."""
    connect(postgres_port).execute(
        "DROP TABLE IF EXISTS near; CREATE TABLE near (id int PRIMARY KEY, version int);"
        f"INSERT INTO near SELECT n, 0 FROM generate_series(0, {ROWS - 1}) n"
    )
    outdated, end = multiprocessing.Array("d", ROWS * VERSIONS, lock=False), multiprocessing.Event()
    multiprocessing.Process(target=write, args=(postgres_port, outdated, end)).start()
    with PGCache(redis.Redis(port=redis_port, socket_timeout=10), near_cache=1000) as cache:
        cache.watch("near")
        if pid:
            threading.Thread(target=trouble, args=(redis_port, pid, end)).start()
        threading.Timer(seconds, end.set).start()
        ages = read(cache, outdated, end)
        stats = cache.near_stats()
    if pid:
        os.kill(pid, signal.SIGCONT)
    commits = sum(1 for since in outdated if since)
    # A change that no near hit has missed was seen at once.
    times = sorted([0.0] * (commits - len(ages)) + list(ages.values()))
    at = [times[min(int(len(times) * share), len(times) - 1)] * 1000 for share in (0.5, 0.99, 1)]
    print(f"{commits} changes, {stats['hits']} near hits, {stats['resets']} resets")
    print("the row of before was served for %.2f ms after COMMIT (median), %.2f ms (p99), %.2f ms (longest)" % tuple(at))


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    main(numbers[0], numbers[1], numbers[2] if len(numbers) > 2 else 10, numbers[3] if len(numbers) > 3 else None)
