# What near caches that listen cost the server: its CPU time for each hit and each changed row, with none, one and 1,000 of them.
#
#   python3 benches/near/listeners.py <redis port> <postgres port> [rounds]
import multiprocessing
import selectors
import socket
import statistics
import subprocess
import sys

import psycopg2
import redis

HITS, ROWS, COUNTS = 200_000, 1000, (0, 1, 1000)


def listen(port, count, ready, end):
    """Has so many clients listen, and reads what they are sent."""
    selector = selectors.DefaultSelector()
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"SUBSCRIBE pg_cache_near\r\n")
        selector.register(client, selectors.EVENT_READ)
    ready.set()
    while not end.is_set():
        for key, _ in selector.select(timeout=0.1):
            key.fileobj.recv(1 << 20)


def cpu(client):
    """Returns the CPU time of the server's main thread, in seconds."""
    used = client.info("cpu")
    return used["used_cpu_user_main_thread"] + used["used_cpu_sys_main_thread"]


def hits(port, client):
    """Returns the CPU time of a hit, in microseconds."""
    client.execute_command("PGCACHE.READ", "users", '{"id":1}')
    before = cpu(client)
    words = ["redis-benchmark", "-p", str(port), "-n", str(HITS), "-c", "50", "-q", "PGCACHE.READ", "users", '{"id":1}']
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return (cpu(client) - before) / HITS * 1e6


def changes(client, cursor, statements, rows):
    """Returns the CPU time of a changed row, in microseconds, where each statement changes so many."""
    before = cpu(client)
    for _ in range(statements):
        cursor.execute("UPDATE users SET balance = balance + 1 WHERE id <= %s", (rows,))
    client.execute_command("PGCACHE.BARRIER", 10_000)
    return (cpu(client) - before) / (statements * rows) * 1e6


def main(port, postgres_port, rounds):
    """Measures in turns."""
    client = redis.Redis(port=port)
    connection = psycopg2.connect(host="127.0.0.1", port=postgres_port, user="demo", dbname="shop")
    connection.autocommit = True
    cursor = connection.cursor()
    client.execute_command("PGCACHE.WATCH", "ADD", "users")
    figures = {count: ([], [], []) for count in COUNTS}
    for _ in range(rounds):
        for count in COUNTS:
            ready, end = multiprocessing.Event(), multiprocessing.Event()
            listener = multiprocessing.Process(target=listen, args=(port, count, ready, end))
            listener.start()
            ready.wait()
            # The next heartbeat finds them.
            if count:
                watcher = client.pubsub()
                watcher.subscribe("pg_cache_near")
                while watcher.get_message(timeout=1, ignore_subscribe_messages=True) is None:
                    pass
                watcher.close()
            figures[count][0].append(hits(port, client))
            figures[count][1].append(changes(client, cursor, 5, ROWS))
            figures[count][2].append(changes(client, cursor, 500, 1))
            end.set()
            listener.join()
    for count, sides in figures.items():
        medians = [statistics.median(side) for side in sides]
        print(
            "%d listeners: a hit %.2f µs, a row of %d that change together %.2f µs, a row that changes alone %.2f µs"
            % (count, medians[0], ROWS, *medians[1:])
        )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 5)
