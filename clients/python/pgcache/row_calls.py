"""Commands on rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from .calls import Call
from .keys import Key, lookup_key
from .maps import text, to_map
from .options import lifetime, position
from .rows import RowDecoder
from .values import to_json


def read(table: str, key: Key | None, columns: Key, rows: RowDecoder, ttl: int | None, minlsn: str | None) -> Call[Any]:
    """Returns the call that reads a row."""
    words = ("PGCACHE.READ", table, lookup_key(key, columns), *lifetime(ttl), *position(minlsn))
    return Call(words, rows.row, table)


def multiread(table: str, keys: Sequence[str], rows: RowDecoder, ttl: int | None, minlsn: str | None) -> Call[list[Any]]:
    """Returns the call that reads the rows of lookup keys that are JSON already."""
    words = ("PGCACHE.MULTIREAD", table, "[" + ",".join(keys) + "]", *lifetime(ttl), *position(minlsn))
    return Call(words, rows.rows, table)


def write(table: str, key: Key, data: Any, ttl: int | None) -> Call[None]:
    """Returns the call that stores a row in the cache. The data is a mapping, a dataclass, a pydantic model or `None`."""
    words = ("PGCACHE.WRITE", table, lookup_key(key, {}), to_json(_columns(data)), *lifetime(ttl))
    return Call(words, nothing, table)


def invalidate(table: str, key: Key | None, columns: Key) -> Call[None]:
    """Returns the call that drops a row from the cache."""
    return Call(("PGCACHE.INVALIDATE", table, lookup_key(key, columns)), nothing, table)


def cache_key(table: str, key: Key | None, columns: Key) -> Call[str]:
    """Returns the call that asks for the key under which the server stores a row."""
    return Call(("PGCACHE.KEY", table, lookup_key(key, columns)), text, table)


def inspect(table: str, key: Key | None, columns: Key) -> Call[Any]:
    """Returns the call that asks what the cache holds for a row."""
    # A table that is called query is no query.
    name = f'"{table}"' if table.lower() == "query" else table
    return Call(("PGCACHE.INSPECT", name, lookup_key(key, columns)), to_map, table)


def nothing(_: Any) -> None:
    """Decodes OK."""


def _columns(data: Any) -> Any:
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return dataclasses.asdict(data)
    if data is None or isinstance(data, Mapping):
        return data
    if hasattr(data, "model_dump"):  # pydantic
        return data.model_dump()
    raise TypeError(f"a row is a mapping, a dataclass, a pydantic model or None, and {data!r} is none of them")
