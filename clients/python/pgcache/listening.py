"""What both streams of events share: whom they listen to, when they are patient, and which messages they pass on."""

from __future__ import annotations

import importlib
import random
import time
from typing import Any

from .cluster import is_cluster
from .events import Event, Types, event_types, parse

# In seconds. A connection that says nothing is asked for a PONG, and given up when none comes.
POLL = 0.25
ASK_AFTER = 5.0
GIVE_UP_AFTER = 15.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


def primaries(client: Any) -> dict[str, Any]:
    """Returns the nodes to listen to, by name: every primary of a cluster, or the one server."""
    return {node.name: node for node in client.get_primaries()} if is_cluster(client) else {"": None}


def learn_nodes(client: Any) -> Any:
    """Has a cluster's client learn its nodes anew; a client for asyncio returns what has to be awaited."""
    return client.nodes_manager.initialize()


def node_client(client: Any, node: Any) -> Any:
    """Returns a client of one node, that blocks."""
    if node is None:
        return client
    of_node = getattr(client, "get_redis_connection", None) or client.get_valkey_connection
    return of_node(node)


def async_node_client(client: Any, node: Any) -> Any:
    """Returns a client of one node, for asyncio, with connections like those of the cluster's client."""
    if node is None:
        return client
    library = importlib.import_module(type(client).__module__.partition(".")[0] + ".asyncio")
    pool = library.ConnectionPool(connection_class=node.connection_class, **node.connection_kwargs)
    kind = library.Redis if hasattr(library, "Redis") else library.Valkey
    return kind(connection_pool=pool)


class Silence:
    """How long a connection has said nothing."""

    def __init__(self) -> None:
        """Begins now."""
        self._heard = self._asked = time.monotonic()

    def heard(self) -> None:
        """Notes that something came."""
        self._heard = time.monotonic()

    def wants_ping(self) -> bool:
        """Tells whether it is time to ask for a PONG; raises `ConnectionError` when none has come for long."""
        now = time.monotonic()
        if now - self._heard > GIVE_UP_AFTER:
            raise ConnectionError("the server has said nothing for long")
        if now - max(self._heard, self._asked) < ASK_AFTER:
            return False
        self._asked = now
        return True


class Patience:
    """When to try again what has failed: later each time, and never for all clients at once."""

    def __init__(self) -> None:
        """Begins with a short pause, and tries at once."""
        self._pause, self._until = FIRST_PAUSE, 0.0

    def reset(self) -> None:
        """Begins anew, as the last attempt succeeded."""
        self._pause, self._until = FIRST_PAUSE, 0.0

    def failed(self) -> None:
        """Notes that an attempt failed."""
        self._until = time.monotonic() + self._pause * random.uniform(0.5, 1)
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def left(self) -> float:
        """Returns the seconds until the next attempt."""
        return max(0.0, self._until - time.monotonic())


class Filter:
    """Which messages a stream passes on."""

    def __init__(self, types: Types) -> None:
        """Takes the types that the caller wants; raises `ValueError` when there is no such type."""
        self._types = event_types(types)

    def event(self, message: Any) -> Event | None:
        """Returns the event of a message of redis-py or valkey-py, or `None` when it holds none that is wanted."""
        event = parse(message["data"]) if message["type"] == "message" else None
        return event if event is not None and event.type in self._types else None
