"""Connections that listen: how one is made of a client's own settings, and what comes on it."""

from __future__ import annotations

from typing import Any

from ..maps import text, to_map
from .core import NearCore
from .leases import Connection

CHANNEL = "pg_cache_near"
"""The channel outside of clusters."""

_SECONDS = 5.0
"""For so long a server may take to accept a connection, or to send the rest of what it has begun."""


class NotListening(Exception):
    """The server has ended the subscription, or has none to offer."""


def settings_of(connection_class: type[Any], settings: dict[str, Any]) -> Any:
    """Returns a new connection with a client's own settings."""
    # Notifications of maintenance are for connections that speak RESP3.
    kept = {name: value for name, value in settings.items() if not name.startswith("maint_")}
    changed = {**kept, "health_check_interval": 0, "socket_timeout": _SECONDS}
    if not changed.get("socket_connect_timeout"):
        changed["socket_connect_timeout"] = _SECONDS
    try:  # what arrives looks the same whatever the client speaks
        return connection_class(**{**changed, "protocol": 2})
    except TypeError:  # a library that knows of one protocol
        return connection_class(**changed)


def channel_of(health: Any) -> str:
    """Returns the channel that a node names in its HEALTH."""
    channel: str | None = to_map(health).get("near_channel")
    if channel is None:
        raise NotListening("the node has no channel for near caches")
    return channel


def take(core: NearCore, connection: Connection, reply: Any) -> None:
    """Takes what has come on a connection that listens."""
    kind = text(reply[0])
    if kind == "message":
        core.hear(connection, reply[2])
    elif kind == "pong":
        connection.pong(text(reply[1]))
    elif kind == "unsubscribe":
        raise NotListening("the server has ended the subscription")


class Pace:
    """When the next ping is due, and how long a connection may be silent."""

    def __init__(self, core: NearCore, now: float) -> None:
        """Begins now, with a ping."""
        self._next, self._heard = now, now
        self.follow(core)

    def follow(self, core: NearCore) -> None:
        """Takes over how far the near cache may be behind."""
        self._max_staleness = core.max_staleness

    def heard(self, now: float) -> None:
        """Something has come."""
        self._heard = now

    def is_due(self, now: float) -> bool:
        """Tells whether a ping is due, and counts it."""
        if now < self._next:
            return False
        self._next = now + min(0.25, self._max_staleness / 8)
        return True

    def wait(self, now: float) -> float:
        """Returns how long to wait for something to come."""
        return max(0.0, self._next - now)

    def check(self, now: float) -> None:
        """Raises `NotListening` where the server has been silent for too long."""
        if now - self._heard > max(1.0, self._max_staleness):
            raise NotListening("the server is silent")
