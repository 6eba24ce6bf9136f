"""Events: what the cache does, as the server publishes it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Union

from .rows import decode_json

CHANNEL = "pg_cache_events"
TYPES = frozenset(
    [
        "cache_hit",
        "cache_miss",
        "cache_write",
        "cache_invalidate",
        "cache_load",
        "cache_expire",
        "cache_evict",
        "table_flush",
        "tag_invalidate",
        "source_up",
        "source_down",
        "cache_error",
    ]
)
Types = Union[str, Iterable[str], None]


@dataclass(frozen=True)
class Event:
    """Something that the cache did. What an event has no word about is `None`."""

    type: str
    """One of `TYPES`."""
    ts: int
    """When it happened, in milliseconds since 1970."""
    source: str | None = None
    table: str | None = None
    key: dict[str, Any] | None = None
    """The lookup key."""
    query: str | None = None
    """The name of the query, or the SHA-256 of a client's own SQL."""
    tag: str | None = None
    ttl: int | None = None
    reason: str | None = None
    duration_us: int | None = None
    error: str | None = None
    """The code of an error."""

    @property
    def at(self) -> datetime:
        """When it happened, in UTC."""
        return datetime.fromtimestamp(self.ts / 1000, timezone.utc)


_FIELDS = frozenset(field.name for field in dataclasses.fields(Event))


def event_types(types: Types) -> frozenset[str]:
    """Returns the types that a caller wants to hear of, all when it names none; raises `ValueError` for others."""
    wanted = TYPES if types is None else frozenset([types] if isinstance(types, str) else types)
    unknown = wanted - TYPES
    if unknown:
        raise ValueError(f"there is no event {', '.join(sorted(unknown))}: the types are {', '.join(sorted(TYPES))}")
    return wanted


def parse(text: str | bytes) -> Event | None:
    """Returns the event of a message, without fields of later versions; `None` for a message that is no event."""
    try:
        fields = decode_json(text)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    if not isinstance(fields, dict) or not {"type", "ts"} <= fields.keys():
        return None
    return Event(**{name: value for name, value in fields.items() if name in _FIELDS})
