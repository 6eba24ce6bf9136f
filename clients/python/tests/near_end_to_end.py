"""The near cache against real servers; see tests/near_cache.rs.

    near_end_to_end.py redis|valkey sync|asyncio server|cluster <port>

It says `do …` when it wants something done, and goes on when it reads a line: `do sql <statement>`, `do freeze`, `do thaw`,
`do kill`, `do move`.
"""

import asyncio
import importlib
import sys
import time

from pgcache import AsyncPGCache, PGCache

LIBRARY, MODE, PLACE, PORT = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
IS_CLUSTER = PLACE == "cluster"
LOOP = asyncio.new_event_loop()
PATIENCE = 30


def connect():
    """Returns a client, and a cache with a near cache."""
    name = {"redis": "Redis", "valkey": "Valkey"}[LIBRARY] + ("Cluster" if IS_CLUSTER else "")
    module = importlib.import_module(LIBRARY + (".asyncio" if MODE == "asyncio" else ""))
    if IS_CLUSTER:
        module = importlib.import_module(LIBRARY + (".asyncio" if MODE == "asyncio" else "") + ".cluster")
    client = getattr(module, name)(host="127.0.0.1", port=PORT)
    return client, (AsyncPGCache if MODE == "asyncio" else PGCache)(client, near_cache=1000)


def wait(result):
    """Waits for what a method returns."""
    return LOOP.run_until_complete(result) if asyncio.iscoroutine(result) else result


def pause():
    """Lets listeners work for a moment."""
    if MODE == "asyncio":
        LOOP.run_until_complete(asyncio.sleep(0.005))
    else:
        time.sleep(0.005)


def do(what):
    """Has something done."""
    print("do", what, flush=True)
    sys.stdin.readline()


def eventually(what, is_so):
    """Waits until something is so."""
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end, f"{what}: {wait(CACHE.near_stats())}"
        pause()


CLIENT, CACHE = connect()


def hits(read):
    """Returns how often the near cache answers when something is read."""
    before = wait(CACHE.near_stats())["hits"]
    wait(read())
    return wait(CACHE.near_stats())["hits"] - before


def keep(what, read):
    """Reads until the near cache answers."""
    eventually(f"{what} is kept", lambda: hits(read) == 1)


def ends(what, read, change):
    """Checks that something that is kept is not kept any more after a change."""
    keep(what, read)
    change()
    # Only what was forgotten is asked for again; until then the answer of before may come.
    misses = wait(CACHE.near_stats())["misses"]
    eventually(f"{what} is forgotten", lambda: wait(read()) is not None and wait(CACHE.near_stats())["misses"] > misses)


def name_of_1():
    """Reads row 1, and returns its name."""
    row = wait(CACHE.read("users", id=1))
    return row and row["name"]


def rename(name, row=1):
    """Changes the name of a row in PostgreSQL."""
    do(f"sql UPDATE users SET name = '{name}' WHERE id = {row}")


def hits_ask_nobody():
    """The server does not hear of a near hit."""
    keep("row 1", lambda: CACHE.read("users", id=1))
    before = server_hits()
    for _ in range(100):
        assert hits(lambda: CACHE.read("users", id=1)) == 1
    assert server_hits() - before <= 1, "the server was asked"


def server_hits():
    """Returns how many hits the servers have counted."""
    stats = wait(CACHE.stats())
    return sum(one["hits"] for one in stats.values()) if IS_CLUSTER else stats["hits"]


def changes_are_seen():
    """Whatever a row is called, a change of it ends what is kept."""
    reads = [
        lambda: CACHE.read("users", id=1),
        # In a cluster a row is kept in its own spelling alone.
        lambda: CACHE.read("public.users", {"id": 1 if IS_CLUSTER else "1"}),
        lambda: CACHE.read("users", email="user1@example.com"),
        lambda: CACHE.multiread("users", [1]),
    ]
    if not IS_CLUSTER:  # other nodes than the row's own read these through
        reads += [lambda: CACHE.read("users", name=name_of_1()), lambda: CACHE.read("names", id=1)]
    for number, read in enumerate(reads):
        if number == 4:
            wait(CACHE.flush(table="users"))
        name = name_of_1()
        keep(f"read {number}", read)
        rename(f"name {number}")
        eventually("the new name is read", lambda name=name: name_of_1() != name)
        if number != 4:  # which names the row by what has changed
            rows = lambda read=read: wait(read())  # noqa: E731
            eventually(f"read {number} is new", lambda rows=rows, number=number: f"name {number}" in str(rows()))


def absent_rows_appear():
    """A row that did not exist is read once it does."""
    read = lambda: CACHE.read("users", id=5000)  # noqa: E731
    eventually("that there is none is kept", lambda: hits(read) == 1)
    do("sql INSERT INTO users (id, email, name) VALUES (5000, 'new', 'new')")
    eventually("the row is read", lambda: wait(read()) is not None)
    do("sql DELETE FROM users WHERE id = 5000")
    eventually("it is gone", lambda: wait(read()) is None)


def results_end():
    """A result ends with its tables and its tags."""
    wait(CACHE.define("some", "SELECT id, name FROM users WHERE id = $1", tags=["t"]))
    read = lambda: CACHE.query("some", 1)  # noqa: E731
    ends("the result", read, lambda: rename("for the result"))
    assert wait(read())[0]["name"] == "for the result"
    other = connect()[1]
    ends("the result", read, lambda: wait(other.flush(tag="t")))
    ends("the result", read, lambda: wait(other.define("some", "SELECT id, name, 1 AS one FROM users WHERE id = $1", tags=["t"])))
    assert wait(read())[0]["one"] == 1


def others_drop_it():
    """What others flush, invalidate or delete is forgotten."""
    other_client, other = connect()
    read = lambda: CACHE.read("users", id=1)  # noqa: E731
    key = wait(other.key("users", id=1))
    ends("row 1", read, lambda: wait(other.invalidate("users", id=1)))
    ends("row 1", read, lambda: wait(other_client.delete(key)))
    ends("row 1", read, lambda: wait(other.flush(table="users")))
    ends("row 1", read, lambda: wait(other.flush(all=True)))
    ends("row 1", read, lambda: wait(other_client.flushall()))


def own_changes_are_seen_at_once():
    """A row that this process has dropped is asked for again."""
    keep("row 1", lambda: CACHE.read("users", id=1))
    wait(CACHE.invalidate("users", id=1))
    assert hits(lambda: CACHE.read("users", id=1)) == 0


def unwatched_rows_live_by_their_time():
    """Rows of a table that nobody tells of are kept for as long as their entry lives."""
    read = lambda: CACHE.read("alone", id=1, ttl=1)  # noqa: E731
    keep("the row", read)
    do("sql UPDATE alone SET name = 'new'")
    eventually("its time has come", lambda: wait(read())["name"] == "new")


def lost_connections_empty_it():
    """A connection that ends takes along what was kept, and another one follows."""
    keep("row 1", lambda: CACHE.read("users", id=1))
    resets = wait(CACHE.near_stats())["resets"]
    do("kill")
    eventually("it has noticed", lambda: wait(CACHE.near_stats())["resets"] > resets)
    rename("while nobody heard")
    eventually("the new name is read", lambda: name_of_1() == "while nobody heard")
    keep("row 1", lambda: CACHE.read("users", id=1))


def a_server_that_stands_still_is_asked():
    """Nothing is served for longer than max_staleness_ms, though nothing says that the connection is lost."""
    keep("row 1", lambda: CACHE.read("users", id=1))
    do("freeze")
    rename("while it stood still")
    eventually("it is not live", lambda: not wait(CACHE.near_stats())["live"])
    do("thaw")
    eventually("the new name is read", lambda: name_of_1() == "while it stood still")
    keep("row 1", lambda: CACHE.read("users", id=1))


def moved_rows_are_found():
    """A slot moves to another node."""
    keep("row 1", lambda: CACHE.read("users", id=1))
    do("move")
    rename("moved")
    eventually("the new name is read", lambda: name_of_1() == "moved")
    keep("row 1", lambda: CACHE.read("users", id=1))
    rename("moved again")
    eventually("the new name is read", lambda: name_of_1() == "moved again")


wait(CACHE.watch("users"))
hits_ask_nobody()
changes_are_seen()
absent_rows_appear()
results_end()
others_drop_it()
own_changes_are_seen_at_once()
unwatched_rows_live_by_their_time()
if IS_CLUSTER:
    moved_rows_are_found()
else:
    lost_connections_empty_it()
    a_server_that_stands_still_is_asked()
wait(CACHE.close())
print("done", LIBRARY, MODE, PLACE)
