"""Listeners of a client that blocks: a thread for each server, which ends with its near cache."""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import dataclass
from typing import Any

from .connections import CHANNEL, NotListening, Pace, channel_of, settings_of, take
from .core import NearCore

_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between attempts to connect."""


@dataclass(frozen=True)
class Node:
    """A server to listen to."""

    name: str
    connection_class: type[Any]
    settings: dict[str, Any]
    is_cluster: bool

    def connect(self) -> Any:
        """Returns a connection to it that is open."""
        connection = settings_of(self.connection_class, self.settings)
        connection.connect()
        return connection


class Listeners:
    """All listeners of one near cache."""

    def __init__(self, core: NearCore, client: Any, is_cluster: bool) -> None:
        """Takes the client whose servers are listened to, once `ensure` is called."""
        self._core, self._client, self._is_cluster = core, client, is_cluster
        self.begin_anew()

    def begin_anew(self) -> None:
        """Knows of no thread: at the start, and in a process that was forked."""
        self._lock = threading.Lock()
        self._ends: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._is_closed = False

    def ensure(self) -> None:
        """Has every server listened to, and those no longer that have gone."""
        nodes = self._names()
        if self._ends.keys() == set(nodes) or self._is_closed:
            return
        with self._lock:
            for name in self._ends.keys() - set(nodes):
                self._ends.pop(name).set()
                self._threads.pop(name)
            for name in set(nodes) - self._ends.keys():
                self._start(self._node(name))

    def is_heard(self) -> bool:
        """Tells whether every server that may have answered is heard."""
        return self._core.is_heard(self._names())

    def close(self) -> None:
        """Ends all threads, and waits for them."""
        with self._lock:
            self._is_closed = True
            threads = list(self._threads.values())
            for end in self._ends.values():
                end.set()
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join()

    def _names(self) -> list[str]:
        if not self._is_cluster:
            return ["server"]
        return [node.name for node in self._client.get_primaries()]

    def _node(self, name: str) -> Node:
        client = self._client
        if self._is_cluster:
            connection_to = getattr(client, "get_redis_connection", None) or client.get_valkey_connection
            client = connection_to(client.get_node(node_name=name))
        pool = client.connection_pool
        return Node(name, pool.connection_class, pool.connection_kwargs, self._is_cluster)

    def _start(self, node: Node) -> None:
        end = self._ends[node.name] = threading.Event()
        thread = threading.Thread(
            target=_listen,
            args=(weakref.ref(self._core, lambda _: end.set()), node, end),
            name=f"pgcache-near-{node.name}",
            daemon=True,
        )
        self._threads[node.name] = thread
        thread.start()


def _listen(core: weakref.ref[NearCore], node: Node, end: threading.Event) -> None:
    """Listens until the end, again and again."""
    failures = 0
    while not end.is_set():
        began = time.monotonic()
        try:
            _listen_once(core, node, end)
        except Exception as error:  # the errors of clients have no class in common
            _note(core, error)
        failures = 0 if time.monotonic() - began > 1 else failures + 1
        end.wait(_PAUSES[min(failures, len(_PAUSES) - 1)])


def _note(core: weakref.ref[NearCore], error: Exception) -> None:
    kept = core()
    if kept is not None:
        kept.reason = f"{type(error).__name__}: {error}"


def _listen_once(core: weakref.ref[NearCore], node: Node, end: threading.Event) -> None:
    wire = node.connect()
    try:
        channel = CHANNEL
        if node.is_cluster:
            wire.send_command("PGCACHE.HEALTH")
            channel = channel_of(wire.read_response())
        wire.send_command("SUBSCRIBE", channel)
        wire.read_response()
        _hear(core, node, wire, end)
    finally:
        wire.disconnect()


def _hear(core: weakref.ref[NearCore], node: Node, wire: Any, end: threading.Event) -> None:
    kept = core()
    if kept is None:
        return
    connection, pace, reason = kept.connect(node.name), Pace(kept, time.monotonic()), "the connection was closed"
    try:
        while kept is not None and not end.is_set():
            now = time.monotonic()
            if pace.is_due(now):
                wire.send_command("PING", connection.ping(now))
            pace.follow(kept)
            # A near cache that nobody uses any more may go while its thread waits.
            kept = None
            if wire.can_read(timeout=pace.wait(now)):
                reply = wire.read_response()
                pace.heard(time.monotonic())
                kept = core()
                if kept is not None:
                    take(kept, connection, reply)
            else:
                pace.check(time.monotonic())
                kept = core()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise
    finally:
        kept = core()
        if kept is not None:
            kept.lose(connection, reason)


__all__ = ["Listeners", "Node", "NotListening"]
