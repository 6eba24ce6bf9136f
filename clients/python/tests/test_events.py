"""Events: what messages become, and streams that connect again."""

import asyncio
import unittest
from datetime import datetime, timezone

from fakes import Cluster, Node

from pgcache import AsyncEventStream, AsyncPGCache, Event, EventStream, PGCache
from pgcache import listening as shared
from pgcache.events import event_types, parse

HIT = '{"type":"cache_hit","source":"default","ts":1700000000000,"table":"users","key":{"id":1},"new":1}'
MISS = b'{"type":"cache_miss","ts":1,"query":"top"}'


class PubSub:
    """A subscription that says what it is told to."""

    def __init__(self, *messages):
        self.messages = [{"type": "subscribe", "data": 1}, *messages]
        self.pings, self.is_closed = 0, False

    def subscribe(self, channel):
        self.channel = channel

    def get_message(self, timeout):
        message = self.messages.pop(0) if self.messages else None
        if isinstance(message, Exception):
            raise message
        return message

    def ping(self):
        self.pings += 1

    def close(self):
        self.is_closed = True


class AsyncPubSub(PubSub):
    """The same for asyncio."""

    async def subscribe(self, channel):
        super().subscribe(channel)

    async def get_message(self, timeout):
        await asyncio.sleep(0)
        return super().get_message(timeout)

    async def ping(self):
        super().ping()

    async def close(self):
        super().close()


class Client:
    """A client whose subscriptions are given."""

    def __init__(self, *subscriptions):
        self.subscriptions, self.opened = list(subscriptions), []

    def execute_command(self, *words):
        raise AssertionError(words)

    def pubsub(self):
        subscription = self.subscriptions.pop(0)
        if isinstance(subscription, Exception):
            raise subscription
        self.opened.append(subscription)
        return subscription


class AsyncClient(Client):
    """A client for asyncio."""

    async def execute_command(self, *words):
        raise AssertionError(words)


def said(*texts):
    """Returns messages as the library has them."""
    return [{"type": "message", "data": text} for text in texts]


class Parsing(unittest.TestCase):
    """What messages become."""

    def test_an_event_has_what_it_says_and_none_elsewhere(self):
        event = parse(HIT)
        self.assertEqual(event, Event("cache_hit", 1700000000000, source="default", table="users", key={"id": 1}))
        self.assertEqual(event.at, datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc))
        self.assertEqual(parse(MISS).query, "top")

    def test_what_is_no_event_is_left_out(self):
        for text in ("", "[]", "{}", '{"type":"cache_hit"}', b"\xff"):
            self.assertIsNone(parse(text))

    def test_types_are_checked(self):
        self.assertEqual(event_types("cache_hit"), {"cache_hit"})
        self.assertIn("source_down", event_types(None))
        with self.assertRaises(ValueError):
            event_types(["cache_hit", "no_such"])


class Streams(unittest.TestCase):
    """Streams that block."""

    def setUp(self):
        shared.FIRST_PAUSE = 0.001

    def test_events_of_the_wanted_types_come_in_order(self):
        client = Client(PubSub(*said(HIT, MISS, "no JSON", HIT)))
        with PGCache(client).events("cache_hit") as stream:
            self.assertEqual([next(stream).key, next(iter(stream)).key], [{"id": 1}] * 2)
        self.assertEqual((client.opened[0].channel, client.opened[0].is_closed), ("pg_cache_events", True))
        with self.assertRaises(StopIteration):
            next(stream)

    def test_another_connection_follows_one_that_is_lost(self):
        client = Client(PubSub(ConnectionError()), ConnectionError(), PubSub(*said(HIT)))
        stream = EventStream(client)
        self.assertEqual(next(stream).type, "cache_hit")
        self.assertTrue(client.opened[0].is_closed)
        stream.close()
        self.assertEqual(list(stream), [])
        self.assertTrue(client.opened[1].is_closed)

    def test_a_stream_that_cannot_connect_says_so_when_it_is_asked_to_listen(self):
        with self.assertRaises(ConnectionError):
            EventStream(Client(ConnectionError())).listen()

    def test_all_primaries_are_listened_to_and_each_event_comes_once(self):
        clients = [Client(PubSub(*said(HIT))), Client(PubSub(*said(HIT, HIT)))]
        cluster = Cluster()
        cluster.nodes = [Node("a"), Node("b")]
        cluster.get_redis_connection = lambda node: clients[cluster.nodes.index(node)]
        stream = EventStream(cluster).listen()
        self.assertEqual(next(stream).type, "cache_hit")
        self.assertEqual([len(client.opened) for client in clients], [1, 1])
        self.assertEqual(clients[1].opened[0].messages, [])

    def test_a_connection_that_is_silent_is_pinged_and_given_up(self):
        silence = shared.Silence()
        self.assertFalse(silence.wants_ping())
        silence._heard -= 6
        silence._asked -= 6
        self.assertTrue(silence.wants_ping())
        self.assertFalse(silence.wants_ping())
        silence._heard -= 20
        with self.assertRaises(ConnectionError):
            silence.wants_ping()


class AsyncStreams(unittest.TestCase):
    """Streams for asyncio."""

    def test_events_come_and_another_connection_follows(self):
        shared.FIRST_PAUSE = 0.001

        async def go():
            client = AsyncClient(AsyncPubSub(*said(HIT), ConnectionError()), ConnectionError(), AsyncPubSub(*said(MISS)))
            async with AsyncPGCache(client).events() as stream:
                types = [(await anext_of(stream)).type, (await anext_of(stream)).type]
            self.assertTrue(client.opened[1].is_closed)
            with self.assertRaises(StopAsyncIteration):
                await anext_of(stream)
            return types

        self.assertEqual(asyncio.run(go()), ["cache_hit", "cache_miss"])

    def test_a_stream_that_cannot_connect_says_so_when_it_is_asked_to_listen(self):
        async def go():
            await AsyncEventStream(AsyncClient(ConnectionError())).listen()

        with self.assertRaises(ConnectionError):
            asyncio.run(go())


async def anext_of(stream):
    """Returns the next event."""
    return await stream.__aiter__().__anext__()
