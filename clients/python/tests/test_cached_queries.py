"""Functions whose result is that of a query; the manager; and how the module is loaded."""

import asyncio
import unittest

from fakes import AsyncClient, Client, ResponseError

from pgcache import AsyncPGCache, PGBadArgument, PGCache, PGCacheManager, load_pgcache_module

UNKNOWN = ResponseError("ERR there is no query of that name: see PGCACHE.DEFINE LIST")


class CachedQueries(unittest.TestCase):
    """The decorator."""

    def decorated(self, *replies, **options):
        self.client = Client(*replies)
        cache = PGCache(self.client)

        @cache.cached_query("SELECT * FROM users WHERE country = $1 LIMIT $2", **options)
        def users_of(country, limit=10):
            """Returns users."""

        return users_of

    def test_it_is_defined_once_and_asked_with_the_arguments(self):
        users_of = self.decorated("OK", "[]", '[{"id":1}]', ttl=5, tags=["t"])
        self.assertEqual(users_of("NL"), [])
        self.assertEqual(users_of(limit=3, country="BE"), [{"id": 1}])
        define, first, second = self.client.asked
        self.assertEqual(define[0], "PGCACHE.DEFINE")
        self.assertEqual(define[3:], ("TTL", "5", "TAGS", "1", "t"))
        self.assertRegex(define[1], r"^[\w.-]+users_of-[0-9a-f]{16}$")
        self.assertEqual(first, ("PGCACHE.QUERY", "NAME", define[1], '["NL",10]'))
        self.assertEqual(second[3], '["BE",3]')
        self.assertEqual(users_of.__doc__, "Returns users.")

    def test_a_server_that_has_forgotten_it_is_told_again(self):
        users_of = self.decorated("OK", "[]", UNKNOWN, "OK", "[]", name="of")
        users_of("NL")
        self.assertEqual(users_of("NL"), [])
        self.assertEqual([words[0][8:] for words in self.client.asked], ["DEFINE", "QUERY", "QUERY", "DEFINE", "QUERY"])
        self.assertEqual(self.client.asked[0][1], "of")

    def test_other_errors_are_raised_and_wrong_arguments_too(self):
        users_of = self.decorated("OK", ResponseError("ERR something else"))
        with self.assertRaises(PGBadArgument):
            users_of("NL")
        with self.assertRaises(TypeError):
            users_of()

    def test_another_statement_has_another_name(self):
        names = set()
        for options in ({}, {"ttl": 5}, {"tags": ["t"]}):
            self.decorated("OK", "[]", **options)("NL")
            names.add(self.client.asked[0][1])
        self.assertEqual(len(names), 3)

    def test_the_client_for_asyncio_does_the_same(self):
        async def go():
            client = AsyncClient("OK", "[]", UNKNOWN, "OK", "[]", ResponseError("ERR something else"))
            cache = AsyncPGCache(client)

            @cache.cached_query("SELECT 1", name="one")
            async def one():
                """Returns one."""

            self.assertEqual([await one(), await one()], [[], []])
            with self.assertRaises(PGBadArgument):
                await one()
            return [words[0][8:] for words in client.asked]

        self.assertEqual(asyncio.run(go()), ["DEFINE", "QUERY", "QUERY", "DEFINE", "QUERY", "QUERY"])


class Modules(unittest.TestCase):
    """How the module is loaded."""

    CONFIG = {"host": "db1", "port": 5433, "database": "shop", "user": "pgcache", "default_ttl": 60, "pg_sslmode": None}

    def test_it_is_loaded_once(self):
        for there in ([b"name", b"pgcache", b"ver", 1], {b"name": b"pgcache", b"ver": 1}):
            self.assertFalse(load_pgcache_module(Client([there]), self.CONFIG))
        client = Client([], "OK")
        self.assertTrue(load_pgcache_module(client, self.CONFIG, "/lib/libpgcache.so"))
        settings = "pg_host db1 pg_port 5433 pg_database shop pg_user pgcache default_ttl 60"
        self.assertEqual(client.asked[1], ("MODULE", "LOAD", "/lib/libpgcache.so", *settings.split()))

    def test_a_password_is_refused_and_a_path_is_needed(self):
        for config, path in (({"password": "x"}, "p"), ({"pg_password": "x"}, "p"), ({}, None)):
            with self.assertRaises(ValueError):
                load_pgcache_module(Client([]), config, path)

    def test_the_manager_reads_by_sql_and_by_keys(self):
        client = Client([[b"name", b"pgcache"]], "[]", '{"id":1}', "[null]", "OK", "OK")
        manager = PGCacheManager(client, {})
        self.assertEqual(manager.get("SELECT * FROM users WHERE id = ?", [1], ttl=5), [])
        self.assertEqual(manager.read("users", id=1), {"id": 1})
        self.assertEqual(manager.multiread("users", [1]), [None])
        manager.write("users", {"id": 1}, None)
        manager.invalidate("users", id=1)
        self.assertEqual(client.asked[1], ("PGCACHE.QUERY", "SELECT * FROM users WHERE id = $1", "[1]", "TTL", "5"))
