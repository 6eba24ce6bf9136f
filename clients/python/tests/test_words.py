"""Commands: the words that each method sends, the same from both clients."""

import asyncio
import dataclasses
import unittest

from fakes import AsyncClient, Client

from pgcache import AsyncPGCache, PGCache


@dataclasses.dataclass
class User:
    """A row to write."""

    id: int
    name: str


class Model:
    """What a pydantic model looks like from outside."""

    def model_dump(self):
        return {"id": 1}


ROW = '{"id":1}'
# What is called, the words that it sends, the reply, what is returned.
CALLS = [
    (lambda c: c.read("users", id=1), ("READ", "users", ROW), b'{"id":1}', {"id": 1}),
    (lambda c: c.read("users", {"id": 1}, ttl=5, minlsn="0/1"), ("READ", "users", ROW, "5", "MINLSN", "0/1"), None, None),
    (lambda c: c.read("t", table=1, key=2), ("READ", "t", '{"key":2,"table":1}'), None, None),
    (lambda c: c.read("users", id=1, row_type=dict), ("READ", "users", ROW), ROW, {"id": 1}),
    (
        lambda c: c.multiread("users", [1, {"id": 2}], ttl=5),
        ("MULTIREAD", "users", '[{"id":1},{"id":2}]', "5"),
        "[null,1]",
        [None, 1],
    ),
    (lambda c: c.multiread("u", ["a"], column="email"), ("MULTIREAD", "u", '[{"email":"a"}]'), "[null]", [None]),
    (lambda c: c.write("users", {"id": 1}, User(1, "a"), ttl=5), ("WRITE", "users", ROW, '{"id":1,"name":"a"}', "5"), b"OK", None),
    (lambda c: c.write("users", {"id": 1}, None), ("WRITE", "users", ROW, "null"), "OK", None),
    (lambda c: c.write("users", {"id": 1}, Model()), ("WRITE", "users", ROW, ROW), "OK", None),
    (lambda c: c.invalidate("users", id=1), ("INVALIDATE", "users", ROW), "OK", None),
    (lambda c: c.key("users", id=1), ("KEY", "users", ROW), b"pg_cache:users", "pg_cache:users"),
    (lambda c: c.inspect("users", id=1), ("INSPECT", "users", ROW), [b"cached", 0], {"cached": False}),
    (lambda c: c.inspect("query", id=1), ("INSPECT", '"query"', ROW), [], {}),
    (lambda c: c.inspect_query("top", 1, tags=["a"]), ("INSPECT", "QUERY", "NAME", "top", "[1]", "TAGS", "1", "a"), [], {}),
    (lambda c: c.query("top", "NL", None), ("QUERY", "NAME", "top", '["NL",null]'), "[]", []),
    (
        lambda c: c.query("SELECT 1", ttl=5, tags=("a", "b"), source="s", minlsn="0/1"),
        ("QUERY", "SELECT 1", "[]", "TTL", "5", "TAGS", "2", "a", "b", "SOURCE", "s", "MINLSN", "0/1"),
        '[{"id":1}]',
        [{"id": 1}],
    ),
    (
        lambda c: c.define("top", "SELECT 1", ttl=5, tags=["a"]),
        ("DEFINE", "top", "SELECT 1", "TTL", "5", "TAGS", "1", "a"),
        "OK",
        None,
    ),
    (lambda c: c.undefine("top"), ("DEFINE", "DEL", "top"), "OK", None),
    (lambda c: c.definitions(), ("DEFINE", "LIST"), [["name", "top"]], [{"name": "top"}]),
    (lambda c: c.flush(all=True), ("FLUSH", "ALL"), 2, 2),
    (lambda c: c.flush(table="users"), ("FLUSH", "TABLE", "users"), 1, 1),
    (lambda c: c.flush(tag=["a", "b"], everywhere=True), ("FLUSH", "EVERYWHERE", "TAG", "a", "b"), 2, 2),
    (lambda c: c.watch("users"), ("WATCH", "ADD", "users"), "OK", None),
    (lambda c: c.unwatch("users"), ("WATCH", "DEL", "users"), "OK", None),
    (lambda c: c.watched(), ("WATCH", "LIST"), [], []),
    (lambda c: c.watch_sql("users"), ("WATCH", "SQL", "users"), b"BEGIN", "BEGIN"),
    (lambda c: c.stats(), ("STATS",), ["hits", 1], {"hits": 1}),
    (lambda c: c.stats(table="users"), ("STATS", "TABLE", "users"), {"hits": 1}, {"hits": 1}),
    (lambda c: c.stats(query="top"), ("STATS", "QUERY", "top"), [], {}),
    (lambda c: c.stats(command="read"), ("STATS", "COMMAND", "read"), [], {}),
    (lambda c: c.reset_stats(), ("STATS", "RESET"), "OK", None),
    (lambda c: c.health(), ("HEALTH",), {"status": "healthy"}, {"status": "healthy"}),
    (lambda c: c.barrier(), ("BARRIER",), 5, 5),
    (lambda c: c.barrier(100, source="s"), ("BARRIER", "100", "SOURCE", "s"), 5, 5),
]

WRONG = [
    (lambda c: c.read("users"), "at least one column"),
    (lambda c: c.read("users", {"id": 1}, id=1), "not as both"),
    (lambda c: c.read("users", 5), "such as {'id': 5}"),
    (lambda c: c.write("users", {"id": 1}, 5), "5 is none of them"),
    (lambda c: c.query("top", tags="a"), r"such as \['a'\]"),
    (lambda c: c.flush(), "one of"),
    (lambda c: c.flush(all=True, table="users"), "one of"),
    (lambda c: c.stats(table="users", query="top"), "one of"),
]


class TestWords(unittest.TestCase):
    """Both clients."""

    def test_each_method_sends_its_words_and_decodes_its_reply(self):
        for call, words, reply, result in CALLS:
            with self.subTest(words=words):
                client = Client(reply)
                self.assertEqual(call(PGCache(client)), result)
                self.assertEqual(client.asked, [("PGCACHE." + words[0], *words[1:])])

    def test_asyncio_does_the_same(self):
        for call, words, reply, result in CALLS:
            with self.subTest(words=words):
                client = AsyncClient(reply)
                self.assertEqual(asyncio.run(call(AsyncPGCache(client))), result)
                self.assertEqual(client.asked, [("PGCACHE." + words[0], *words[1:])])

    def test_both_have_the_same_methods(self):
        def methods(kind):
            return {name for name in dir(kind) if not name.startswith("_")}

        self.assertEqual(methods(PGCache), methods(AsyncPGCache))

    def test_a_wrong_call_is_refused_before_anything_is_sent(self):
        for call, words in WRONG:
            with self.subTest(words=words), self.assertRaisesRegex(TypeError, words):
                call(PGCache(Client()))

    def test_no_keys_no_command(self):
        self.assertEqual(PGCache(Client()).multiread("users", []), [])
        self.assertEqual(asyncio.run(AsyncPGCache(AsyncClient()).multiread("users", [])), [])

    def test_the_wrong_kind_of_client_is_refused(self):
        with self.assertRaisesRegex(TypeError, "use AsyncPGCache"):
            PGCache(AsyncClient())
        with self.assertRaisesRegex(TypeError, "use PGCache"):
            AsyncPGCache(Client())


if __name__ == "__main__":
    unittest.main()
