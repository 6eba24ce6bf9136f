"""Functions whose result is that of a query."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Sequence
from typing import Any, Callable

from .errors import PGBadArgument


class CachedQuery:
    """A query with a name, which is defined when it is first asked, and again where the server has forgotten it."""

    def __init__(self, function: Callable[..., Any], sql: str, name: str | None, options: dict[str, Any]) -> None:
        """Takes the function whose parameters are those of the query, in their order. Its body is not run."""
        self._signature = inspect.signature(function)
        self._sql, self._options = sql, options
        self.query_name = name or name_of(function, sql, options)
        self.is_defined = False

    def params(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """Returns the parameters of a call; raises `TypeError` as the function itself would."""
        bound = self._signature.bind(*arguments, **named)
        bound.apply_defaults()
        return [*bound.args, *bound.kwargs.values()]

    def definition(self) -> tuple[tuple[str, str], dict[str, Any]]:
        """Returns what `define` takes, and from now on expects the server to know it."""
        self.is_defined = True
        return (self.query_name, self._sql), self._options


def name_of(function: Callable[..., Any], sql: str, options: dict[str, Any]) -> str:
    """Returns a name that another statement, or another life or tags, does not have."""
    digest = hashlib.sha256(repr((sql, sorted(options.items()))).encode()).hexdigest()[:16]
    plain = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-" for letter in function.__qualname__
    )
    return f"{plain[-40:]}-{digest}"


def is_unknown(error: PGBadArgument) -> bool:
    """Tells whether the server has no query of that name."""
    return "no query of that name" in error.message


def options_of(ttl: int | None, tags: Sequence[str]) -> dict[str, Any]:
    """Returns the options of a definition."""
    return {"ttl": ttl, "tags": tuple(tags)}


def decorate(cache: Any, sql: str, name: str | None, options: dict[str, Any], row_type: type[Any] | None) -> Callable[..., Any]:
    """Returns the decorator of a client that blocks."""

    def decorator(function: Callable[..., Any]) -> Callable[..., Any]:
        cached = CachedQuery(function, sql, name, options)

        @functools.wraps(function)
        def ask(*arguments: Any, **named: Any) -> Any:
            params = cached.params(arguments, named)
            if not cached.is_defined:
                words, given = cached.definition()
                cache.define(*words, **given)
            try:
                return cache.query(cached.query_name, *params, row_type=row_type)
            except PGBadArgument as error:
                if not is_unknown(error):
                    raise
            words, given = cached.definition()
            cache.define(*words, **given)
            return cache.query(cached.query_name, *params, row_type=row_type)

        return ask

    return decorator


def decorate_async(
    cache: Any, sql: str, name: str | None, options: dict[str, Any], row_type: type[Any] | None
) -> Callable[..., Any]:
    """Returns the decorator of a client for asyncio."""

    def decorator(function: Callable[..., Any]) -> Callable[..., Any]:
        cached = CachedQuery(function, sql, name, options)

        @functools.wraps(function)
        async def ask(*arguments: Any, **named: Any) -> Any:
            params = cached.params(arguments, named)
            if not cached.is_defined:
                words, given = cached.definition()
                await cache.define(*words, **given)
            try:
                return await cache.query(cached.query_name, *params, row_type=row_type)
            except PGBadArgument as error:
                if not is_unknown(error):
                    raise
            words, given = cached.definition()
            await cache.define(*words, **given)
            return await cache.query(cached.query_name, *params, row_type=row_type)

        return ask

    return decorator
