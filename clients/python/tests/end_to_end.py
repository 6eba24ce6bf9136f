"""Every method of PGCache or AsyncPGCache against real servers; see tests/python_client.rs.

    end_to_end.py redis|valkey sync|asyncio server|cluster <port>

It goes through everything with replies as text and as bytes, and in RESP3 where the library has it. In a cluster it says
`do move` when it wants the slot of row 1 to move, and goes on when it reads a line.
"""

import asyncio
import dataclasses
import enum
import importlib
import sys
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pgcache
from pgcache import AsyncPGCache, PGCache

LIBRARY, MODE, PLACE, PORT = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
IS_CLUSTER = PLACE == "cluster"
LOOP = asyncio.new_event_loop()
MOMENT = datetime(2024, 1, 2, 5, 4, 5, 500000, timezone(timedelta(hours=2)))


class Colour(enum.Enum):
    """An enum of PostgreSQL's."""

    RED = "red"


# The unique columns of the one row of table `kinds`, which tests/python_client.rs makes.
KINDS = {
    "id": UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "amount": Decimal("12.50"),
    "at": MOMENT,
    "local": datetime(2024, 1, 2, 3, 4, 5),
    "day": date(2024, 1, 2),
    "hour": time(3, 4, 5, 250000),
    "photo": b"\x00\xff",
    "colour": Colour.RED,
    "flag": True,
    "score": 2.0,
    "big": 10**5000,
    "name": 'Ünï "} \\ \n',
}


@dataclasses.dataclass
class Kind:
    """A row of table `kinds`."""

    id: UUID
    amount: Decimal
    at: datetime
    local: datetime
    day: date
    hour: time
    photo: bytes
    colour: Colour
    flag: bool
    score: float
    big: int
    name: str


def wait(result):
    """Returns a result, which the clients for asyncio have to be waited for."""
    return LOOP.run_until_complete(result) if asyncio.iscoroutine(result) else result


def connect(**options):
    name = {"redis": "Redis", "valkey": "Valkey"}[LIBRARY] + ("Cluster" if IS_CLUSTER else "")
    folder = ".asyncio" if MODE == "asyncio" else ""
    module = importlib.import_module(LIBRARY + folder + (".cluster" if IS_CLUSTER else ""))
    client = getattr(module, name)(host="127.0.0.1", port=PORT, **options)
    return client, (AsyncPGCache if MODE == "asyncio" else PGCache)(client)


def refused(kind, result):
    """Returns the error of a class that a call ends with."""
    try:
        wait(result())
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


def figure(maps, name):
    """Returns the sum of a figure over all nodes."""
    return sum(one[name] for one in maps.values()) if IS_CLUSTER else maps[name]


def rows(cache):
    assert wait(cache.read("users", id=1))["name"] == "User 1"
    assert wait(cache.read("users", {"email": "user2@example.com"}, ttl=60))["id"] == 2
    assert wait(cache.read("users", id=10**6)) is None
    found = wait(cache.multiread("users", [*range(30, 0, -1), {"email": "user7@example.com"}, 10**6]))
    assert [row and row["id"] for row in found] == [*range(30, 0, -1), 7, None]
    assert wait(cache.write("users", {"id": 7}, {"id": 7, "name": "written"})) is None
    assert wait(cache.read("users", id=7))["name"] == "written"
    assert wait(cache.inspect("users", id=7))["cached"] is True
    assert wait(cache.invalidate("users", id=7)) is None
    assert wait(cache.inspect("users", id=7))["cached"] is False
    assert wait(cache.read("users", id=7))["name"] == "User 7"
    assert wait(cache.key("users", id=7)).endswith(':{"id":7}')


def values(cache):
    """Values of every type name a row in the spelling of its entry, and come back as they were."""
    for column, value in KINDS.items():
        kind = wait(cache.read("kinds", {column: value}, row_type=Kind))
        assert dataclasses.asdict(kind) == KINDS, (column, kind)
        inspected = wait(cache.inspect("kinds", {column: value}))
        assert inspected["cached"] and inspected["send_as"] is None, (column, inspected)
    assert isinstance(kind.score, float)
    assert wait(cache.multiread("kinds", [KINDS["photo"]], column="photo", row_type=Kind)) == [kind]
    wait(cache.write("kinds", {"id": kind.id}, kind))
    assert wait(cache.read("kinds", id=kind.id, row_type=Kind)) == kind


def queries(cache):
    wait(cache.define("of", "SELECT id FROM users WHERE id = $1 OR id = $2 ORDER BY id", ttl=60, tags=["some"]))
    assert wait(cache.query("of", 3, 4)) == [{"id": 3}, {"id": 4}]
    assert wait(cache.query("of", 3, None, tags=["other"])) == [{"id": 3}]
    assert wait(cache.inspect_query("of", 3, 4))["sql"].startswith("SELECT id")
    assert wait(cache.flush(tag=["some", "other"])) >= 1
    wait(cache.define("kind", "SELECT * FROM kinds WHERE ({}) = ({})".format(*placeholders())))
    assert wait(cache.query("kind", *KINDS.values(), row_type=Kind)) == [Kind(**KINDS)]
    assert {one["name"] for one in wait(cache.definitions())} == {"of", "kind"}
    assert wait(cache.definitions())[1]["tags"] == ["some"]
    wait(cache.undefine("kind"))
    refused(pgcache.PGBadArgument, lambda: cache.query("kind"))


def placeholders():
    return ", ".join(KINDS), ", ".join(f"${place}" for place in range(1, len(KINDS) + 1))


def pipelines(cache):
    pipeline = cache.pipeline()
    for number in range(1, 21):
        pipeline.read("users", id=number)
    pipeline.write("users", {"id": 8}, {"id": 8, "name": "piped"}).read("users", id=8).invalidate("users", id=8)
    pipeline.query("of", 5, 6)
    found = wait(pipeline.execute())
    assert [row["id"] for row in found[:20]] == list(range(1, 21))
    assert (found[20], found[21]["name"], found[22], found[23]) == (None, "piped", None, [{"id": 5}, {"id": 6}])
    pipeline.read("users", id=1).read("users", id="x").read("nothing", id=1)
    row, value, table = wait(pipeline.execute(raise_on_error=False))
    assert (row["id"], type(value), type(table)) == (1, pgcache.PGBadValue, pgcache.PGNoTable)
    pipeline.read("users", id=1).read("nothing", id=2)
    assert refused(pgcache.PGNoTable, pipeline.execute).table == "nothing"


def errors(cache):
    assert refused(pgcache.PGNoTable, lambda: cache.read("nothing", id=1)).table == "nothing"
    refused(pgcache.PGNoColumn, lambda: cache.read("users", nothing=1))
    refused(pgcache.PGNotUnique, lambda: cache.read("users", same=1))
    refused(pgcache.PGBadArgument, lambda: cache.read("users", id=1, ttl=0))
    refused(pgcache.PGNoPermission, lambda: cache.query("SELECT id FROM users"))
    error = refused(pgcache.PGBadValue, lambda: cache.multiread("users", [1, 2, 3, "x", 4]))
    assert (error.code, error.table, error.index, error.retryable) == ("PGBADVALUE", "users", 3, False)
    wait(cache.define("half", "SELECT 1 / $1::int AS half"))
    assert refused(pgcache.PGRefused, lambda: cache.query("half", 0)).sqlstate == "22012"
    wait(cache.undefine("half"))


def tables(cache):
    wait(cache.watch("users"))
    assert [one["table"] for one in wait(cache.watched())] == ["public.users"]
    assert "TRIGGER" in wait(cache.watch_sql("users"))
    assert wait(cache.barrier(5000)) >= 0
    wait(cache.define("position", "SELECT pg_current_wal_insert_lsn()::text AS position"))
    position = wait(cache.query("position"))[0]["position"]
    wait(cache.undefine("position"))
    assert wait(cache.read("users", id=1, minlsn=position))["id"] == 1
    wait(cache.unwatch("users"))
    assert wait(cache.watched()) == []
    assert wait(cache.flush(table=["users", "kinds"])) == 2
    assert wait(cache.flush(all=True)) >= 2
    assert wait(cache.flush(table="users", everywhere=True)) >= 0
    wait(cache.barrier(5000))  # PostgreSQL tells the servers, and they have heard it then


def figures(cache):
    health = wait(cache.health())
    for one in health.values() if IS_CLUSTER else [health]:
        assert one["sources"]["default"]["status"] == "up" and one["reasons"] == []
    wait(cache.reset_stats())
    wait(cache.multiread("users", [1, 2, 3, 4, 5, 6]))
    wait(cache.multiread("users", [1, 2, 3, 4, 5, 6]))
    assert figure(wait(cache.stats()), "hits") == 6, "the second time all are hits, wherever they are"
    assert figure(wait(cache.stats(table="users")), "hits") == 6
    assert figure(wait(cache.stats(command="multiread")), "errors") == 0
    wait(cache.query("of", 1, 2))
    assert figure(wait(cache.stats(query="of")), "misses") == 1
    assert isinstance(figure(wait(cache.stats(table="users")), "hit_ratio"), float)


def shape(value, other):
    """Returns what a reply is made of, as far as another one has it too: names, lists, and types of values."""
    if isinstance(value, dict):
        return {name: shape(value[name], other[name]) for name in value.keys() & other.keys()}
    if isinstance(value, list):
        return [shape(one, another) for one, another in zip(value, other)]
    return None if value is None or other is None else type(value)


def both_protocols():
    """What describes the cache is the same in RESP2 and RESP3."""
    (old, text), (new, maps) = connect(), connect(protocol=3)
    wait(text.define("of", "SELECT id FROM users WHERE id = $1", tags=["some"]))
    wait(text.query("of", 1))
    wait(text.watch("users"))
    calls = (
        lambda cache: cache.health(),
        lambda cache: cache.stats(),
        lambda cache: cache.watched(),
        lambda cache: cache.definitions(),
        lambda cache: cache.inspect("users", id=1),
        lambda cache: cache.inspect_query("of", 1),
    )
    for call in calls:
        first, second = wait(call(text)), wait(call(maps))
        assert shape(first, second) == shape(second, first), (first, second)
    wait(text.unwatch("users"))
    wait(text.undefine("of"))
    close(old)
    close(new)


def first_calls():
    """Whatever a client is asked first, it finds the nodes for."""
    calls = (
        lambda cache: cache.multiread("users", range(1, 21)),
        lambda cache: cache.pipeline().read("users", id=1).read("users", id=2).execute(),
        lambda cache: cache.health(),
        lambda cache: cache.watched(),
    )
    for call in calls:
        client, cache = connect()
        wait(call(cache))
        close(client)


def moved():
    """Rows are found after their slot has moved, though the client does not know yet where to."""
    client, cache = connect()
    numbers = list(range(1, 31))
    wait(cache.multiread("users", numbers))
    print("do move", flush=True)
    sys.stdin.readline()
    assert [row["id"] for row in wait(cache.multiread("users", numbers))] == numbers
    assert wait(cache.read("users", id=1))["id"] == 1
    assert wait(cache.pipeline().invalidate("users", id=1).read("users", id=1).execute())[1]["id"] == 1
    wait(cache.multiread("users", numbers))
    assert wait(cache.inspect("users", id=1))["cached"], "by its new owner"
    close(client)


def administration(cache):
    """Hooks, the slow log, the busiest keys, and functions whose result is that of a query."""
    wait(cache.add_hook("told", "invalidate", publish="told", table="users"))
    [*_, listed] = by_node(wait(cache.hooks()))
    assert [hook["name"] for hook in listed] == ["told"] and listed[0]["enabled"] is True, listed
    wait(cache.enable_hook("told", False))
    assert [*by_node(wait(cache.hooks()))][0][0]["enabled"] is False
    wait(cache.remove_hook("told"))
    wait(cache.reset_slowlog())
    assert [*by_node(wait(cache.slowlog()))][0] == []
    assert "keys" in [*by_node(wait(cache.top_keys(5)))][0]

    @cache.cached_query("SELECT id FROM users WHERE id = $1 OR id = $2 ORDER BY id", tags=["decorated"])
    def two(first, second=2):
        """Returns two users."""

    assert wait(two(1)) == [{"id": 1}, {"id": 2}]
    for definition in wait(cache.definitions()):
        if "decorated" in definition["tags"]:
            wait(cache.undefine(definition["name"]))
    assert wait(two(3, second=4)) == [{"id": 3}, {"id": 4}]
    wait(cache.undefine(next(d["name"] for d in wait(cache.definitions()) if "decorated" in d["tags"])))


def by_node(answer):
    """Returns what each node has answered."""
    return answer.values() if IS_CLUSTER else [answer]


def events():
    """An event comes once, whichever node it is of."""
    client, cache = connect()
    stream = wait(cache.events(["cache_write", "tag_invalidate"]).listen())
    for number in (1, 2, 3):
        wait(cache.write("users", {"id": number}, {"id": number}))
    heard = [wait(stream.__anext__() if MODE == "asyncio" else following(stream)) for _ in range(3)]
    assert sorted(event.key["id"] for event in heard) == [1, 2, 3], heard
    assert heard[0].table == "users" and heard[0].type == "cache_write"
    stream.close()
    wait(cache.flush(table="users"))
    close(client)


def following(stream):
    return next(stream)


def close(client):
    wait(getattr(client, "aclose", client.close)())


def everything(**options):
    client, cache = connect(**options)
    for part in (rows, values, queries, pipelines, errors):
        part(cache)
    tables(cache)
    figures(cache)
    administration(cache)
    wait(cache.undefine("of"))
    wait(cache.flush(all=True))
    close(client)


first_calls()
events()
everything(decode_responses=True)
everything()
if int(importlib.import_module(LIBRARY).__version__.split(".")[0]) >= 5:
    everything(protocol=3)
    both_protocols()
if IS_CLUSTER:
    moved()
print("done", LIBRARY, MODE, PLACE)
