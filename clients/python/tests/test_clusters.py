"""Clusters: where commands go, and how answers of several nodes become one."""

import asyncio
import unittest

from fakes import AsyncCluster, Cluster, ResponseError

from pgcache import AsyncPGCache, PGBadArgument, PGBadValue, PGCache, PGDown

EVEN, ODD = '[{"id":2},{"id":4}]', '[{"id":1},{"id":3}]'
BAD = ResponseError("PGBADVALUE lookup key at index 1 (the first is 0): users: no")


class TestClusters(unittest.TestCase):
    """Both clients with a cluster's client."""

    def both(self, *replies):
        """Yields each client's cluster and how to wait for it."""
        for cluster, cache in ((Cluster(*replies), PGCache), (AsyncCluster(*replies), AsyncPGCache)):
            with self.subTest(cache=cache.__name__):
                run = asyncio.run if cache is AsyncPGCache else lambda result: result
                yield cluster, cache(cluster), run

    def test_a_multiread_is_split_by_node_and_keeps_its_order(self):
        for cluster, cache, run in self.both('[{"id":1},null]', '[{"id":2},{"id":4}]'):
            self.assertEqual(run(cache.multiread("users", [1, 2, 3, 4])), [{"id": 1}, {"id": 2}, None, {"id": 4}])
            self.assertEqual([words[2] for words in cluster.asked], [ODD, EVEN])

    def test_keys_of_one_node_are_one_command(self):
        for cluster, cache, run in self.both('[{"id":2},{"id":4}]'):
            run(cache.multiread("users", [2, 4]))
            self.assertEqual([words[2] for words in cluster.asked], [EVEN])

    def test_an_error_of_one_key_names_the_callers_own_place(self):
        for _, cache, run in self.both("[null,null]", BAD):
            with self.assertRaises(PGBadValue) as raised:
                run(cache.multiread("users", [1, 2, 3, 4]))
            self.assertEqual((raised.exception.index, raised.exception.table), (3, "users"))
            self.assertIn("at index 3 (", str(raised.exception))

    def test_an_error_of_one_node_is_the_multireads(self):
        for _, cache, run in self.both(ResponseError("PGDOWN away"), "[null]"):
            with self.assertRaises(PGDown):
                run(cache.multiread("users", [1, 2]))

    def test_definitions_and_flushes_go_to_every_primary(self):
        for cluster, cache, run in self.both(1, 3):
            self.assertEqual(run(cache.flush(all=True)), 3)
            self.assertEqual(cluster.targets, [["even"], ["odd"]])
        for cluster, cache, run in self.both("OK", "OK"):
            self.assertIsNone(run(cache.define("top", "SELECT 1")))
            self.assertEqual(cluster.targets, [["even"], ["odd"]])

    def test_what_postgresql_tells_all_nodes_goes_to_one(self):
        for cluster, cache, run in self.both(1, "OK"):
            run(cache.flush(tag="a", everywhere=True))
            run(cache.watch("users"))
            self.assertEqual(cluster.targets, [["even"], ["even"]])

    def test_rows_go_where_the_client_finds_them(self):
        for cluster, cache, run in self.both(None):
            run(cache.read("users", id=1))
            self.assertEqual(cluster.targets, [[]])

    def test_figures_come_by_node(self):
        for _, cache, run in self.both({"hits": 1}, {"hits": 2}):
            self.assertEqual(run(cache.stats()), {"even": {"hits": 1}, "odd": {"hits": 2}})

    def test_a_node_that_does_not_know_a_table_yet_is_left_out(self):
        unknown = ResponseError("no figures")
        for _, cache, run in self.both(unknown, {"hits": 2}):
            self.assertEqual(run(cache.stats(table="users")), {"odd": {"hits": 2}})
        for _, cache, run in self.both(unknown, unknown):
            with self.assertRaises(PGBadArgument):
                run(cache.stats(table="users"))

    def test_one_node_that_fails_fails_the_command(self):
        for _, cache, run in self.both(5, ResponseError("PGDOWN away")):
            with self.assertRaises(PGDown):
                run(cache.barrier())


if __name__ == "__main__":
    unittest.main()
