"""Reads through the near cache: what is sent, what is kept, and what a caller may do with it."""

import asyncio
import dataclasses
import enum
import json
import unittest
import uuid
from datetime import datetime

from fakes import AsyncClient, AsyncCluster, Client, Cluster, ResponseError
from near_server import heartbeat, message

from pgcache import AsyncPGCache, NearCache, PGCache, PGDown

ROW = '{"id":1,"name":"Ada"}'
NEAR_1 = ("PGCACHE.NEAR", "users", '{"id":1}')
READ_1 = ("PGCACHE.READ", "users", '{"id":1}')


def vouched(key='{"id":1}', **fields):
    """Returns the reply of PGCACHE.NEAR."""
    return json.dumps({"run": "r", "table": "users", "key": key, "source": "default", "ttl_ms": None, **fields})


def vouched_query(name="top"):
    """Returns the reply of PGCACHE.NEAR for a query."""
    fields = {"run": "r", "query": name, "tables": ["users"], "tags": ["t"], "source": "default", "ttl_ms": 1000}
    return json.dumps(fields)


def hearing(cache, *names):
    """Has a cache hear the run `r` without any listener."""
    cache._near.listeners.ensure = lambda: None
    for name in names or ("server",):
        connection = cache._near.core.connect(name)
        connection.pong(connection.ping(cache._near.core._clock()))
        cache._near.core.hear(connection, heartbeat(1))
    return cache


def tell(cache, **members):
    """Has a cache hear a message."""
    for connection in cache._near.core._connections.values():
        stream = connection.streams["r"]
        cache._near.core.hear(connection, message(stream.seq + 1, **members))


@dataclasses.dataclass
class User:
    """A row that its caller may change."""

    id: int
    name: str


@dataclasses.dataclass(frozen=True)
class FrozenUser:
    """A row that nobody can change."""

    id: int
    name: str


class Rows(unittest.TestCase):
    """Rows, one and many."""

    def near(self, *replies, **options):
        self.client = Client(*replies)
        return hearing(PGCache(self.client, near_cache=10, **options))

    def test_the_second_read_of_a_row_is_kept_and_the_third_asks_nobody(self):
        cache = self.near(None, ROW, vouched(), ROW)
        for _ in range(4):
            self.assertEqual(cache.read("users", id=1), {"id": 1, "name": "Ada"})
        self.assertEqual(self.client.asked, [NEAR_1, READ_1, NEAR_1, READ_1])
        self.assertEqual((cache.near_stats()["hits"], cache.near_stats()["misses"]), (2, 2))

    def test_rows_that_do_not_exist_are_kept_too(self):
        cache = self.near(vouched(), None)
        self.assertEqual([cache.read("users", id=1) for _ in range(3)], [None] * 3)
        self.assertEqual(len(self.client.asked), 2)

    def test_nobody_can_change_what_is_kept(self):
        nested = '{"id":1,"tags":["a"]}'
        cache = self.near(vouched(), ROW, vouched('{"id":2}'), nested)
        for _ in range(3):
            row = cache.read("users", id=1)
            self.assertEqual(row["name"], "Ada")
            row["name"] = "changed"
            other = cache.read("users", id=2)
            self.assertEqual(other["tags"], ["a"])
            other["tags"].append("changed")

    def test_row_types_are_made_anew_unless_nobody_can_change_them(self):
        cache = self.near(vouched(), ROW, vouched(), ROW)
        first = cache.read("users", id=1, row_type=User)
        first.name = "changed"
        self.assertEqual(cache.read("users", id=1, row_type=User), User(1, "Ada"))
        frozen = [cache.read("users", id=1, row_type=FrozenUser) for _ in range(2)]
        self.assertIs(frozen[0], frozen[1])
        self.assertEqual(len(self.client.asked), 4, "each type is an entry of its own")

    def test_values_of_different_types_are_different_keys(self):
        class Number(enum.IntEnum):
            ONE = 1

        cache = self.near(*[vouched(), ROW] * 6)
        keys = (1, True, "1", 1.0, Number.ONE)
        for key in keys:
            cache.read("users", id=key)
        # These two are spelled alike.
        self.assertEqual([asked[2] for asked in self.client.asked[::2]], ['{"id":1}', '{"id":true}', '{"id":"1"}', '{"id":1}'])
        for key in keys:
            cache.read("users", {"id": key})
        self.assertEqual(len(self.client.asked), 8)

    def test_any_key_that_has_json_can_be_kept(self):
        cache = self.near(*[vouched(), ROW] * 9)
        keys = [{"id": uuid.UUID(int=1)}, {"at": datetime(2024, 1, 1)}, {"a": [1]}, {"a": 1, "b": 2}, {"a": bytearray(b"x")}]
        for key in keys * 2:
            cache.read("users", key)
        self.assertEqual(len(self.client.asked), 2 * len(keys))

    def test_wrong_keys_are_refused_as_without_a_near_cache(self):
        cache = self.near(vouched(), ROW)
        cache.read("users", id=1)
        for wrong in (lambda: cache.read("users", {"id": 1}, id=1), lambda: cache.read("users"), lambda: cache.read("users", 1)):
            with self.assertRaises(TypeError):
                wrong()

    def test_a_read_may_go_past_it(self):
        cache = self.near(vouched(), ROW, ROW, ROW, "[" + ROW + "]", "[]")
        cache.read("users", id=1)
        cache.read("users", id=1, near=False)
        cache.read("users", id=1, minlsn="0/1")
        cache.multiread("users", [1], near=False)
        cache.query("top", near=False)
        self.assertEqual(
            [asked[0] for asked in self.client.asked[2:]], ["PGCACHE.READ"] * 2 + ["PGCACHE.MULTIREAD", "PGCACHE.QUERY"]
        )

    def test_errors_are_raised_and_a_server_that_does_not_know_the_command_is_read_through(self):
        cache = self.near(vouched(), ResponseError("PGDOWN no"), ResponseError("unknown command"), ROW, "no JSON", ROW, "[1]", ROW)
        with self.assertRaises(PGDown):
            cache.read("users", id=1)
        for _ in range(3):
            self.assertEqual(cache.read("users", id=1)["id"], 1)
        self.assertEqual(cache.near_stats()["entries"], 0)

    def test_many_rows_ask_for_those_that_are_not_kept(self):
        rows = '[{"id":2},null]'
        cache = self.near(vouched(), ROW, "[" + vouched('{"id":2}') + "," + vouched('{"id":3}') + "]", rows, "null", "[null]")
        cache.read("users", id=1)
        for _ in range(2):
            self.assertEqual(cache.multiread("users", [2, 1, {"id": 3}]), [{"id": 2}, {"id": 1, "name": "Ada"}, None])
        self.assertEqual(
            self.client.asked[2:],
            [("PGCACHE.NEAR", "users", '[{"id":2},{"id":3}]'), ("PGCACHE.MULTIREAD", "users", '[{"id":2},{"id":3}]')],
        )
        self.assertEqual(cache.multiread("users", [4], row_type=User), [None])
        self.assertEqual(cache.multiread("users", []), [])

    def test_errors_of_many_rows_name_the_callers_own_place(self):
        refused = ResponseError("PGBADVALUE the lookup key at index 0: no")
        cache = self.near(vouched(), ROW, "[null]", refused)
        cache.read("users", id=1)
        with self.assertRaises(Exception) as raised:
            cache.multiread("users", [1, "x"])
        self.assertEqual(raised.exception.index, 1)

    def test_changes_of_its_own_are_forgotten_at_once(self):
        changes = [
            lambda cache: cache.write("users", {"id": 1}, {"id": 1}),
            lambda cache: cache.invalidate("users", id=1),
            lambda cache: cache.flush(table="users"),
            lambda cache: cache.flush(all=True),
        ]
        for change in changes:
            cache = self.near(vouched(), ROW, 1, None, ROW)
            cache.read("users", id=1)
            change(cache)
            cache.read("users", id=1)
            self.assertEqual(self.client.asked[-2:], [NEAR_1, READ_1])

    def test_a_cache_without_one_has_no_figures_of_it(self):
        cache = PGCache(Client())
        with self.assertRaises(TypeError):
            cache.near_stats()
        with cache:
            pass

    def test_limits_may_be_given_by_both_sizes(self):
        cache = hearing(PGCache(Client(vouched(), ROW), near_cache=NearCache(bytes=5)))
        cache.read("users", id=1)
        self.assertEqual(cache.near_stats()["entries"], 0, "it has more bytes")


class Queries(unittest.TestCase):
    """Results of queries."""

    def test_a_result_is_kept_until_what_it_hangs_on_changes(self):
        ends = [{"table": "users", "keys": []}, {"tag": "t"}, {"query": "top"}]
        client = Client(*[vouched_query(), "[" + ROW + "]"] * 4)
        cache = hearing(PGCache(client, near_cache=10))
        for members in ends:
            for _ in range(2):
                rows = cache.query("top", 1, tags=["t"], ttl=5)
                self.assertEqual(rows, [{"id": 1, "name": "Ada"}])
                rows[0]["name"], rows[1:] = "changed", [None]
            tell(cache, **members)
        self.assertEqual(client.asked[0], ("PGCACHE.NEAR", "QUERY", "top", "NAME", "top", "[1]", "TAGS", "1", "t"))
        self.assertEqual(len(client.asked), 2 * len(ends))

    def test_own_changes_of_definitions_and_tags_end_it(self):
        for change in (
            lambda cache: cache.define("top", "SELECT 1"),
            lambda cache: cache.undefine("top"),
            lambda cache: cache.flush(tag="t"),
        ):
            client = Client(vouched_query(), "[]", 1, vouched_query(), "[]")
            cache = hearing(PGCache(client, near_cache=10))
            cache.query("top")
            change(cache)
            cache.query("top")
            self.assertEqual(len(client.asked), 5)

    def test_an_error_is_not_kept(self):
        cache = hearing(PGCache(Client(vouched_query(), ResponseError("PGDOWN no")), near_cache=10))
        with self.assertRaises(PGDown):
            cache.query("top")


class Clusters(unittest.TestCase):
    """Nodes of a cluster."""

    def test_answers_are_kept_while_every_primary_is_heard(self):
        client = Cluster(vouched(), ROW, vouched(), ROW)
        cache = hearing(PGCache(client, near_cache=10), "even")
        cache.read("users", id=1)
        self.assertEqual(cache.near_stats()["entries"], 0)
        cache = hearing(PGCache(client, near_cache=10), "even", "odd")
        cache.read("users", id=1)
        self.assertEqual(cache.near_stats()["entries"], 1)

    def test_many_rows_are_asked_of_their_nodes(self):
        client = Cluster("[null]", '[{"id":1}]', "[null]", '[{"id":2}]')
        cache = hearing(PGCache(client, near_cache=10), "even", "odd")
        self.assertEqual(cache.multiread("users", [1, 2]), [{"id": 1}, {"id": 2}])
        self.assertEqual([asked[0] for asked in client.asked], ["PGCACHE.NEAR", "PGCACHE.MULTIREAD"] * 2)


class Asyncio(unittest.TestCase):
    """The client for asyncio does the same."""

    def test_rows_and_results_are_kept(self):
        async def go():
            replies = [vouched(), ROW, vouched_query(), "[]", "[" + vouched('{"id":2}') + "]", '[{"id":2}]', 1, None, ROW]
            client = AsyncClient(*replies)
            async with hearing(AsyncPGCache(client, near_cache=10)) as cache:
                for _ in range(2):
                    self.assertEqual((await cache.read("users", id=1))["name"], "Ada")
                    self.assertEqual(await cache.query("top"), [])
                    self.assertEqual((await cache.multiread("users", [1, 2]))[1], {"id": 2})
                await cache.invalidate("users", id=1)
                await cache.read("users", id=1)
                return client, await cache.near_stats()

        client, stats = asyncio.run(go())
        self.assertEqual((len(client.asked), stats["hits"]), (9, 5))

    def test_definitions_flushes_and_writes_end_it(self):
        async def go():
            client = AsyncCluster(*[vouched_query(), "[]", 1, 1] * 3, 1)
            cache = hearing(AsyncPGCache(client, near_cache=10), "even", "odd")
            for change in (cache.define("top", "SELECT 1"), cache.undefine("top"), cache.flush(tag="t")):
                await cache.query("top")
                await change
            await cache.write("users", {"id": 1}, None)
            return client

        self.assertEqual(len(asyncio.run(go()).asked), 13)

    def test_a_cache_without_one_has_no_figures_of_it(self):
        async def go():
            async with AsyncPGCache(AsyncClient()) as cache:
                await cache.near_stats()

        with self.assertRaises(TypeError):
            asyncio.run(go())
