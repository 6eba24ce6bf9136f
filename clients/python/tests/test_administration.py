"""Hooks, the slow log and the busiest keys: the words that each method sends, the same from both clients."""

import asyncio
import unittest

from fakes import AsyncClient, Client

from pgcache import AsyncPGCache, PGCache

CASES = [
    (
        lambda c: c.add_hook("h", "miss", function="f", table="t", priority=5),
        "OK",
        "PGCACHE.HOOK ADD h miss TABLE t PRIORITY 5 FUNCTION f",
        None,
    ),
    (lambda c: c.add_hook("h", "hit", stream="s", maxlen=9), "OK", "PGCACHE.HOOK ADD h hit STREAM s MAXLEN 9", None),
    (lambda c: c.add_hook("h", "hit", publish="p"), "OK", "PGCACHE.HOOK ADD h hit PUBLISH p", None),
    (lambda c: c.remove_hook("h"), "OK", "PGCACHE.HOOK DEL h", None),
    (lambda c: c.enable_hook("h"), "OK", "PGCACHE.HOOK ENABLE h", None),
    (lambda c: c.enable_hook("h", False), "OK", "PGCACHE.HOOK DISABLE h", None),
    (lambda c: c.hooks(), [["name", "h", "enabled", 1]], "PGCACHE.HOOK LIST", [{"name": "h", "enabled": True}]),
    (lambda c: c.slowlog(), [["id", 1]], "PGCACHE.SLOWLOG GET", [{"id": 1}]),
    (lambda c: c.slowlog(3), [], "PGCACHE.SLOWLOG GET 3", []),
    (lambda c: c.reset_slowlog(), "OK", "PGCACHE.SLOWLOG RESET", None),
    (lambda c: c.top_keys(5, table="users"), ["keys", []], "PGCACHE.STATS KEYS TABLE users 5", {"keys": []}),
]


class Words(unittest.TestCase):
    """Both clients."""

    def test_each_method_sends_its_command_and_decodes_the_reply(self):
        for method, reply, words, result in CASES:
            client = Client(reply)
            self.assertEqual(method(PGCache(client)), result)
            self.assertEqual(" ".join(client.asked[0]), words)

    def test_the_client_for_asyncio_does_the_same(self):
        async def go():
            for method, reply, words, result in CASES:
                client = AsyncClient(reply)
                self.assertEqual(await method(AsyncPGCache(client)), result)
                self.assertEqual(" ".join(client.asked[0]), words)

        asyncio.run(go())

    def test_a_hook_does_one_thing(self):
        for actions in ({}, {"function": "f", "publish": "p"}):
            with self.assertRaises(TypeError):
                PGCache(Client()).add_hook("h", "hit", **actions)
