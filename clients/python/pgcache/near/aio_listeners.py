"""Listeners of a client for asyncio: a task for each server, which ends with its near cache or its event loop."""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import Any

from .connections import CHANNEL, Pace, channel_of, settings_of, take
from .core import NearCore
from .leases import Connection
from .listeners import _PAUSES, Node, _note


class AsyncListeners:
    """All listeners of one near cache."""

    def __init__(self, core: NearCore, client: Any, is_cluster: bool) -> None:
        """Takes the client whose servers are listened to, once `ensure` is called."""
        self._core, self._client, self._is_cluster = core, client, is_cluster
        self.begin_anew()

    def begin_anew(self) -> None:
        """Knows of no task: at the start, and in a process that was forked."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_closed = False

    def ensure(self) -> None:
        """Has every server listened to, and those no longer that have gone."""
        names = set(self._names())
        if self._is_closed:
            return
        for name in list(self._tasks):
            # An event loop that has ended takes its tasks along.
            if name not in names or self._tasks[name].done() or self._tasks[name].get_loop() is not asyncio.get_running_loop():
                self._tasks.pop(name).cancel()
        for name in names - self._tasks.keys():
            node = self._node(name)
            core = weakref.ref(self._core)
            self._tasks[name] = asyncio.get_running_loop().create_task(_listen(core, node), name=f"pgcache-near-{name}")

    def is_heard(self) -> bool:
        """Tells whether every server that may have answered is heard."""
        return self._core.is_heard(self._names())

    async def close(self) -> None:
        """Ends all tasks, and waits for them."""
        self._is_closed = True
        tasks, self._tasks = list(self._tasks.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _names(self) -> list[str]:
        if not self._is_cluster:
            return ["server"]
        return [node.name for node in self._client.get_primaries()]

    def _node(self, name: str) -> Node:
        if self._is_cluster:
            node = self._client.get_node(node_name=name)
            return Node(name, node.connection_class, node.connection_kwargs, True)
        pool = self._client.connection_pool
        return Node(name, pool.connection_class, pool.connection_kwargs, False)


async def _listen(core: weakref.ref[NearCore], node: Node) -> None:
    """Listens until the near cache has gone, again and again."""
    failures = 0
    while core() is not None:
        began = time.monotonic()
        try:
            await _listen_once(core, node)
        except Exception as error:  # the errors of clients have no class in common
            _note(core, error)
        failures = 0 if time.monotonic() - began > 1 else failures + 1
        await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])


async def _listen_once(core: weakref.ref[NearCore], node: Node) -> None:
    wire = settings_of(node.connection_class, {**node.settings})
    await wire.connect()
    try:
        channel = CHANNEL
        if node.is_cluster:
            await wire.send_command("PGCACHE.HEALTH")
            channel = channel_of(await wire.read_response())
        await wire.send_command("SUBSCRIBE", channel)
        await wire.read_response()
        await _hear(core, node, wire)
    finally:
        await wire.disconnect()


async def _hear(core: weakref.ref[NearCore], node: Node, wire: Any) -> None:
    kept = core()
    if kept is None:
        return
    connection, pace = kept.connect(node.name), Pace(kept, time.monotonic())
    del kept
    reader = asyncio.ensure_future(_read(core, wire, connection, pace))
    try:
        while not reader.done() and (kept := core()) is not None:
            now = time.monotonic()
            if pace.is_due(now):
                await wire.send_command("PING", connection.ping(now))
            pace.follow(kept)
            pace.check(now)
            del kept
            await asyncio.wait([reader], timeout=pace.wait(now))
        if reader.done():
            reader.result()
    finally:
        reader.cancel()
        kept = core()
        if kept is not None:
            kept.lose(connection, "the connection was closed")


async def _read(core: weakref.ref[NearCore], wire: Any, connection: Connection, pace: Pace) -> None:
    while True:
        reply = await wire.read_response()
        pace.heard(time.monotonic())
        kept = core()
        if kept is None:
            return
        take(kept, connection, reply)
        del kept
