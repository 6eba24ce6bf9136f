"""Errors: a class for each code."""

import pickle
import re
import unittest
from pathlib import Path

from fakes import NoPermissionError, ResponseError

import pgcache
from pgcache.errors import PGCacheError, at_index, to_pgcache_error

COMMANDS = Path(__file__).parents[3] / "docs/commands.md"
TRANSIENT = {"PGDOWN", "PGTIMEOUT", "PGBUSY", "UNBLOCKED", "TRYAGAIN"}


class TestErrors(unittest.TestCase):
    """`to_pgcache_error`."""

    def test_every_documented_code_has_a_class(self):
        section = COMMANDS.read_text().partition("\n## Errors\n")[2]
        codes = set(re.findall(r"^\| `([A-Z]+)", section, re.MULTILINE))
        self.assertGreater(len(codes), 10)
        for code in codes:
            with self.subTest(code=code):
                error = to_pgcache_error(ResponseError(f"{code} said"), "users")
                self.assertEqual((error.code, error.table), (code, "users"))
                self.assertEqual(str(error), f"{code} said")
                self.assertTrue(hasattr(pgcache, type(error).__name__))

    def test_what_passes_by_itself_may_be_retried(self):
        classes = PGCacheError.__subclasses__()
        self.assertEqual({kind.code for kind in classes if kind.retryable}, TRANSIENT)

    def test_an_error_without_its_code_is_found_by_what_the_client_calls_it(self):
        self.assertIsInstance(to_pgcache_error(NoPermissionError("only defined queries")), pgcache.PGNoPermission)
        self.assertEqual(str(to_pgcache_error(ResponseError("invalid TTL"))), "ERR invalid TTL")

    def test_errors_of_the_server_and_of_the_client_stay_what_they_are(self):
        other = type("OutOfMemoryError", (ResponseError,), {})
        for error in (ConnectionError("gone"), ResponseError("OOM command not allowed"), other("command not allowed")):
            with self.subTest(error=error):
                self.assertIsNone(to_pgcache_error(error))

    def test_sqlstate(self):
        self.assertEqual(to_pgcache_error(ResponseError("PGERR 22012 query top: division")).sqlstate, "22012")

    def test_the_key_that_is_meant(self):
        error = to_pgcache_error(ResponseError("PGBADVALUE lookup key at index 1 (the first is 0): users: no"), "users")
        self.assertEqual(error.index, 1)
        moved = at_index(error, 7)
        self.assertEqual((moved.index, moved.table), (7, "users"))
        self.assertIn("at index 7 (the first is 0)", str(moved))

    def test_an_error_travels_between_processes(self):
        error = pickle.loads(pickle.dumps(pgcache.PGDown("away", "users")))
        self.assertEqual((str(error), error.table, error.retryable), ("PGDOWN away", "users", True))


if __name__ == "__main__":
    unittest.main()
