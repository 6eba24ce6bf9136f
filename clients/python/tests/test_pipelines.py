"""Pipelines: results in the order of the commands."""

import asyncio
import unittest

from fakes import AsyncClient, Client, ResponseError

from pgcache import AsyncPGCache, PGCache, PGDown

REPLIES = ['{"id":1}', "OK", "OK", "[]"]
RESULTS = [{"id": 1}, None, None, []]


def fill(pipeline):
    return pipeline.read("users", id=1).write("users", {"id": 2}, None).invalidate("users", id=3).query("top", 1)


class TestPipelines(unittest.TestCase):
    """`pipeline()`."""

    def test_results_come_in_order(self):
        client = Client(*REPLIES)
        with PGCache(client).pipeline() as pipeline:
            self.assertEqual(len(fill(pipeline)), 4)
            self.assertEqual(pipeline.execute(), RESULTS)
            self.assertEqual(len(pipeline), 0)
        self.assertEqual(
            [words[0] for words in client.asked], [f"PGCACHE.{verb}" for verb in ("READ", "WRITE", "INVALIDATE", "QUERY")]
        )

    def test_asyncio_does_the_same(self):
        async def run():
            async with AsyncPGCache(AsyncClient(*REPLIES)).pipeline() as pipeline:
                return await fill(pipeline).execute()

        self.assertEqual(asyncio.run(run()), RESULTS)

    def test_the_first_error_is_raised(self):
        pipeline = PGCache(Client("OK", ResponseError("PGDOWN away"))).pipeline()
        pipeline.invalidate("users", id=1).read("users", id=2)
        with self.assertRaises(PGDown) as raised:
            pipeline.execute()
        self.assertEqual(raised.exception.table, "users")

    def test_errors_stand_in_their_places_where_they_are_wanted(self):
        error = ConnectionError("gone")
        pipeline = PGCache(Client(ResponseError("PGDOWN away"), None, error)).pipeline()
        pipeline.read("users", id=1).read("users", id=2).read("users", id=3)
        first, second, third = pipeline.execute(raise_on_error=False)
        self.assertIsInstance(first, PGDown)
        self.assertEqual((second, third), (None, error))

    def test_what_was_not_sent_is_forgotten(self):
        client = Client()
        with PGCache(client).pipeline() as pipeline:
            pipeline.read("users", id=1)
        self.assertEqual(len(pipeline), 0)
        self.assertTrue(pipeline._pipeline.was_reset)


if __name__ == "__main__":
    unittest.main()
