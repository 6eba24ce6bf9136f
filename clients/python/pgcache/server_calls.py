"""Commands on tables as a whole, and on the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Union

from .calls import Call, Reach
from .maps import text, to_map, to_maps
from .options import Words
from .row_calls import nothing

Names = Union[str, Sequence[str]]


def flush(everything: bool, table: Names | None, tag: Names | None, everywhere: bool) -> Call[int]:
    """Returns the call that drops everything, tables or tags; exactly one of them is given."""
    if [everything, table is not None, tag is not None].count(True) != 1:
        raise TypeError("flush takes one of all=True, table=… and tag=…")
    if everything:
        what: Words = ("ALL",)
    else:
        what = ("TABLE", *_names(table)) if table is not None else ("TAG", *_names(tag))
    if everywhere:  # PostgreSQL tells all servers
        return Call(("PGCACHE.FLUSH", "EVERYWHERE", *what), int, reach=Reach.ONE)
    return Call(("PGCACHE.FLUSH", *what), int, reach=Reach.ALL, merge=_most)


def watch(table: str) -> Call[None]:
    """Returns the call that has PostgreSQL tell of a table's changes."""
    return Call(("PGCACHE.WATCH", "ADD", table), nothing, table, Reach.ONE)


def unwatch(table: str) -> Call[None]:
    """Returns the call that ends that."""
    return Call(("PGCACHE.WATCH", "DEL", table), nothing, table, Reach.ONE)


def watched() -> Call[list[dict[str, Any]]]:
    """Returns the call that lists the watched tables."""
    return Call(("PGCACHE.WATCH", "LIST"), to_maps, reach=Reach.ONE)


def watch_sql(table: str) -> Call[str]:
    """Returns the call that asks what `watch` would run."""
    return Call(("PGCACHE.WATCH", "SQL", table), text, table, Reach.ONE)


def stats(table: str | None, query: str | None, command: str | None) -> Call[dict[str, Any]]:
    """Returns the call that asks for figures: all, or those of one table, query or command."""
    given = [(word, name) for word, name in (("TABLE", table), ("QUERY", query), ("COMMAND", command)) if name is not None]
    if len(given) > 1:
        raise TypeError("stats takes one of table=…, query=… and command=…")
    return Call(("PGCACHE.STATS", *(given[0] if given else ())), to_map, table, Reach.ALL, dict, partial=True)


def reset_stats() -> Call[None]:
    """Returns the call that has all figures begin anew."""
    return Call(("PGCACHE.STATS", "RESET"), nothing, reach=Reach.ALL)


def health() -> Call[dict[str, Any]]:
    """Returns the call that asks how the sources are."""
    return Call(("PGCACHE.HEALTH",), to_map, reach=Reach.ALL, merge=dict)


def barrier(timeout_ms: int | None, source: str | None) -> Call[int]:
    """Returns the call that waits for all changes that were committed before."""
    timeout = () if timeout_ms is None else (str(timeout_ms),)
    named = () if source is None else ("SOURCE", source)
    return Call(("PGCACHE.BARRIER", *timeout, *named), int, reach=Reach.ALL, merge=_most)


def add_hook(
    name: str,
    event: str,
    function: str | None,
    publish: str | None,
    stream: str | None,
    maxlen: int | None,
    table: str | None,
    priority: int | None,
) -> Call[None]:
    """Returns the call that has something done when an event happens; exactly one of three actions is given."""
    actions = (("FUNCTION", function), ("PUBLISH", publish), ("STREAM", stream))
    given = [(word, target) for word, target in actions if target is not None]
    if len(given) != 1:
        raise TypeError("add_hook takes one of function=…, publish=… and stream=…")
    options = (("TABLE", table), ("PRIORITY", priority), given[0], ("MAXLEN", maxlen))
    words = [str(word) for option in options if option[1] is not None for word in option]
    return Call(("PGCACHE.HOOK", "ADD", name, event, *words), nothing, reach=Reach.ALL)


def remove_hook(name: str) -> Call[None]:
    """Returns the call that removes a hook."""
    return Call(("PGCACHE.HOOK", "DEL", name), nothing, reach=Reach.ALL)


def enable_hook(name: str, enabled: bool) -> Call[None]:
    """Returns the call that switches a hook on or off."""
    return Call(("PGCACHE.HOOK", "ENABLE" if enabled else "DISABLE", name), nothing, reach=Reach.ALL)


def hooks() -> Call[Any]:
    """Returns the call that lists the hooks."""
    return Call(("PGCACHE.HOOK", "LIST"), to_maps, reach=Reach.ALL, merge=dict)


def slowlog(count: int | None) -> Call[Any]:
    """Returns the call that asks for the latest slow commands."""
    return Call(("PGCACHE.SLOWLOG", "GET", *_number(count)), to_maps, reach=Reach.ALL, merge=dict)


def reset_slowlog() -> Call[None]:
    """Returns the call that forgets them."""
    return Call(("PGCACHE.SLOWLOG", "RESET"), nothing, reach=Reach.ALL)


def top_keys(count: int | None, table: str | None) -> Call[dict[str, Any]]:
    """Returns the call that asks for the keys that are hit most."""
    of_table = () if table is None else ("TABLE", table)
    return Call(("PGCACHE.STATS", "KEYS", *of_table, *_number(count)), to_map, table, Reach.ALL, dict, partial=True)


def _number(count: int | None) -> Words:
    return () if count is None else (str(count),)


def _most(results: dict[str, int]) -> int:
    return max(results.values())


def _names(names: Names | None) -> Words:
    return (names,) if isinstance(names, str) else tuple(names or ())
