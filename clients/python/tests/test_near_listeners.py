"""Listeners: threads and tasks that hear a server, without one."""

import asyncio
import gc
import os
import queue
import threading
import unittest
import weakref

from fakes import AsyncClient, Client, Cluster, Node
from near_server import heartbeat

from pgcache import AsyncPGCache, PGCache


class Wire:
    """A connection of the client's library. Tests say what comes on it."""

    wires = []

    def __init__(self, **settings):
        if "protocol" in settings:
            raise TypeError("an old library")
        self.settings, self.sent, self.coming, self.is_open = settings, [], queue.Queue(), False
        self.next = None
        Wire.wires.append(self)

    def connect(self):
        self.is_open = True
        self.coming.put([b"subscribe", b"pg_cache_near", 1])

    def disconnect(self):
        self.is_open = False

    def send_command(self, *words):
        self.sent.append(words)
        if words[0] == "PING":
            self.coming.put([b"pong", words[1].encode()])
            self.coming.put([b"message", b"pg_cache_near", heartbeat(len(self.sent))])
        if words[0] == "PGCACHE.HEALTH":
            self.coming.queue.appendleft([b"near_channel", b"pg_cache_near:x"])

    def can_read(self, timeout):
        if self.next is None:
            try:
                self.next = self.coming.get(timeout=timeout)
            except queue.Empty:
                return False
        return True

    def read_response(self):
        reply, self.next = self.next or self.coming.get(), None
        if isinstance(reply, Exception):
            raise reply
        return reply


class AsyncWire(Wire):
    """The same for asyncio."""

    async def connect(self):
        super().connect()

    async def disconnect(self):
        super().disconnect()

    async def send_command(self, *words):
        super().send_command(*words)

    async def read_response(self):
        while not self.can_read(0.001):
            await asyncio.sleep(0.001)
        return super().read_response()


class Pool:
    """A pool of connections."""

    connection_kwargs = {"host": "h", "health_check_interval": 30, "maint_notifications_config": 1}

    def __init__(self, connection_class=Wire):
        self.connection_class = connection_class


def await_live(cache):
    """Waits until the near cache hears."""
    for _ in range(5000):
        if cache._near.core.stats()["live"]:
            return
        threading.Event().wait(0.001)
    raise AssertionError(cache._near.core.stats())


class ListenersTest(unittest.TestCase):
    """Wires of its own."""

    def setUp(self):
        Wire.wires = []

    def client(self):
        client = Client(*[None] * 100)
        client.connection_pool = Pool()
        return client


class Threads(ListenersTest):
    """Listeners of a client that blocks."""

    def test_a_near_cache_listens_from_the_first_read_on_and_ends_its_thread(self):
        with PGCache(self.client(), near_cache=10) as cache:
            self.assertEqual(Wire.wires, [])
            cache.read("users", id=1)
            await_live(cache)
            (wire,) = Wire.wires
            self.assertEqual(wire.sent[0], ("SUBSCRIBE", "pg_cache_near"))
            self.assertEqual((wire.settings["host"], wire.settings["health_check_interval"]), ("h", 0))
            self.assertNotIn("maint_notifications_config", wire.settings)
        self.assertFalse(wire.is_open)
        self.assertEqual([thread for thread in threading.enumerate() if "pgcache" in thread.name], [])
        cache.read("users", id=1)
        self.assertEqual(len(Wire.wires), 1, "it is closed")

    def test_another_connection_follows_one_that_is_lost(self):
        for came in (ConnectionError("lost"), [b"unsubscribe", b"pg_cache_near", 0], [b"message", b"c", b"nothing"]):
            Wire.wires = []
            with PGCache(self.client(), near_cache=10) as cache:
                cache.read("users", id=1)
                await_live(cache)
                Wire.wires[0].coming.put(came)
                while len(Wire.wires) < 2 or not Wire.wires[1].sent:
                    threading.Event().wait(0.001)
                await_live(cache)
            self.assertFalse(any(wire.is_open for wire in Wire.wires))

    def test_a_silent_server_is_given_up(self):
        with PGCache(self.client(), near_cache=10) as cache:
            cache._near.core.max_staleness = 0.01
            cache.read("users", id=1)
            await_live(cache)
            Wire.wires[0].send_command = lambda *words: None
            while len(Wire.wires) < 2:
                threading.Event().wait(0.001)

    def test_a_near_cache_that_nobody_uses_any_more_ends_its_thread(self):
        cache = PGCache(self.client(), near_cache=10)
        cache.read("users", id=1)
        await_live(cache)
        thread = cache._near.listeners._threads["server"]
        gone = weakref.ref(cache._near.core)
        del cache
        gc.collect()
        thread.join(5)
        self.assertFalse(thread.is_alive())
        self.assertIsNone(gone())

    def test_each_primary_of_a_cluster_is_listened_to_on_its_own_channel_and_no_node_that_has_gone(self):
        client = Cluster(*[None] * 100)
        client.connection_pool = Pool()
        client.get_node = lambda node_name: Node(node_name)
        client.get_redis_connection = lambda node: client
        with PGCache(client, near_cache=10) as cache:
            cache.read("users", id=1)
            await_live(cache)
            while len(cache._near.core.connected()) < 2:
                threading.Event().wait(0.001)
            self.assertEqual([wire.sent[1] for wire in Wire.wires], [("SUBSCRIBE", "pg_cache_near:x")] * 2)
            client.nodes = [Node("even")]
            cache.read("users", id=1)
            while cache._near.core.connected() != ["even"]:
                threading.Event().wait(0.001)

    @unittest.skipUnless(hasattr(os, "fork"), "there is no fork")
    def test_a_process_that_is_forked_begins_anew(self):
        with PGCache(self.client(), near_cache=10) as cache:
            cache.read("users", id=1)
            await_live(cache)
            child = os.fork()
            if child == 0:
                core = cache._near.core
                os._exit(0 if not core.connected() and not cache._near.listeners._threads else 1)
            self.assertEqual(os.waitpid(child, 0)[1], 0)
            self.assertEqual(cache._near.core.connected(), ["server"])


class Tasks(ListenersTest):
    """Listeners of a client for asyncio."""

    def async_client(self):
        client = AsyncClient(*[None] * 100)
        client.connection_pool = Pool(AsyncWire)
        return client

    async def await_live(self, cache):
        while not (await cache.near_stats())["live"]:
            await asyncio.sleep(0.001)

    def test_a_near_cache_listens_and_ends_its_task(self):
        async def go():
            async with AsyncPGCache(self.async_client(), near_cache=10) as cache:
                await cache.read("users", id=1)
                await asyncio.wait_for(self.await_live(cache), 5)
                Wire.wires[0].coming.put(ConnectionError("lost"))
                while len(Wire.wires) < 2:
                    await asyncio.sleep(0.001)
                await asyncio.wait_for(self.await_live(cache), 5)
            self.assertEqual([wire.is_open for wire in Wire.wires], [False, False])
            self.assertEqual(len(asyncio.all_tasks()), 1)
            await cache.read("users", id=1)
            self.assertEqual(len(Wire.wires), 2, "it is closed")

        asyncio.run(go())

    def test_another_event_loop_has_a_task_of_its_own(self):
        cache = AsyncPGCache(self.async_client(), near_cache=10)

        async def go():
            await cache.read("users", id=1)
            await asyncio.wait_for(self.await_live(cache), 5)

        for count in (1, 2):
            asyncio.run(go())
            self.assertEqual(len(Wire.wires), count)

    def test_each_primary_of_a_cluster_has_a_task(self):
        async def go():
            client = Cluster(*[None] * 100)
            node = Node("even")
            node.connection_class, node.connection_kwargs = AsyncWire, {"host": "h"}
            listeners = AsyncPGCache(self.async_client(), near_cache=10)._near.listeners
            client.nodes, client.get_node = [node], lambda node_name: node
            listeners._client, listeners._is_cluster = client, True
            listeners.ensure()
            while not Wire.wires or len(Wire.wires[0].sent) < 2:
                await asyncio.sleep(0.001)
            self.assertEqual(Wire.wires[0].sent[1], ("SUBSCRIBE", "pg_cache_near:x"))
            client.nodes = []
            listeners.ensure()
            await listeners.close()

        asyncio.run(go())
