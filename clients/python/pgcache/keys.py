"""Lookup keys: the JSON objects that name rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .values import to_json

Key = Mapping[str, Any]


def lookup_key(key: Key | None, columns: Key) -> str:
    """Returns the JSON of a lookup key that is given as a mapping or as named columns, and not as both."""
    if key is not None and columns:
        raise TypeError("give the lookup key as a mapping or as named columns, not as both")
    if key is not None and not isinstance(key, Mapping):
        raise TypeError(f"a lookup key is a mapping such as {{'id': {key!r}}}, or named columns such as id={key!r}")
    named = columns if key is None else key
    if not named:
        raise TypeError("a lookup key has at least one column")
    return to_json(named)


def lookup_keys(keys: Sequence[Any], column: str) -> list[str]:
    """Returns the JSON of many lookup keys. What is no mapping is a value of `column`."""
    return [to_json(key if isinstance(key, Mapping) else {column: key}) for key in keys]
