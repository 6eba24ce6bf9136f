"""Keys of entries: what an answer is asked by. Making one takes less than the JSON of a lookup key, as far as that can be."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any
from uuid import UUID

from ..values import to_json

_PLAIN = frozenset([int, str, bool, bytes, UUID])
"""Types of which equal values have the same JSON."""


def row_key(table: str, named: Mapping[str, Any], row_type: Any) -> Hashable:
    """Returns the key of a row's entry. Values of different types are never the same: `1` is not `True`."""
    if len(named) == 1:
        for name, value in named.items():
            kind = value.__class__
            if kind in _PLAIN:
                return (table, name, value, kind, row_type)
    return (table, to_json(named), row_type)


def key_of(table: str, key: Any, column: str, row_type: Any) -> Hashable:
    """Returns the key of the entry of a row that is named by a mapping, or by a value of `column`."""
    return row_key(table, key if isinstance(key, Mapping) else {column: key}, row_type)


def query_key(query: str, params: Sequence[Any], tags: Sequence[str], source: str | None, row_type: Any) -> Hashable:
    """Returns the key of a result's entry."""
    return (query, to_json(list(params)), tuple(tags), source, row_type, None)
