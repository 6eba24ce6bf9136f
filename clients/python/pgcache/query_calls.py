"""Commands on queries."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .calls import Call, Reach
from .maps import to_map, to_maps
from .options import Words, of_query, position
from .row_calls import nothing
from .rows import RowDecoder
from .values import to_json

_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def query(
    query: str,
    params: Sequence[Any],
    rows: RowDecoder,
    options: Words,
    minlsn: str | None,
) -> Call[list[Any]]:
    """Returns the call that asks a query, by its name or by its SQL."""
    return Call(("PGCACHE.QUERY", *_asked(query, params), *options, *position(minlsn)), rows.rows)


def result_words(query: str, params: Sequence[Any], options: Words) -> Words:
    """Returns the words that name a query's result."""
    return (*_asked(query, params), *options)


def inspect(query: str, params: Sequence[Any], options: Words) -> Call[dict[str, Any]]:
    """Returns the call that asks what the cache holds for a query."""
    return Call(("PGCACHE.INSPECT", "QUERY", *_asked(query, params), *options), to_map)


def define(name: str, sql: str, ttl: int | None, tags: Sequence[str]) -> Call[None]:
    """Returns the call that gives a query a name, on every primary."""
    return Call(("PGCACHE.DEFINE", name, sql, *of_query(ttl, tags)), nothing, reach=Reach.ALL)


def undefine(name: str) -> Call[None]:
    """Returns the call that removes a definition, on every primary."""
    return Call(("PGCACHE.DEFINE", "DEL", name), nothing, reach=Reach.ALL)


def definitions() -> Call[list[dict[str, Any]]]:
    """Returns the call that lists the definitions."""
    return Call(("PGCACHE.DEFINE", "LIST"), to_maps, reach=Reach.ONE)


def _asked(query: str, params: Sequence[Any]) -> Words:
    # SQL is never a name: it has at least a space or a parenthesis. A cluster's client finds a node by the parameters.
    named = ("NAME", query) if _NAME.fullmatch(query) else (query,)
    return (*named, to_json(list(params)))
