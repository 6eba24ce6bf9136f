"""The manager: reads rows by SQL with the placeholders of other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .client import PGCache
from .keys import Key
from .module import Config, load_pgcache_module
from .near.limits import Limits
from .placeholders import translate
from .rows import Row


class PGCacheManager:
    """Loads the module where it is missing, and reads through it."""

    def __init__(self, client: Any, pg_config: Config, *, path: str | None = None, near_cache: Limits = None) -> None:
        """Takes a client that blocks, and how the module reaches PostgreSQL: see `load_pgcache_module`."""
        load_pgcache_module(client, pg_config, path)
        self.cache = PGCache(client, near_cache=near_cache)

    def get(self, sql: str, params: Any = None, *, ttl: int | None = None, tags: Sequence[str] = ()) -> list[Row]:
        """Returns the rows of a statement with the placeholders `?`, `%s`, `$1` or `:name` (of a mapping).

        The server has to allow free SQL (its setting `query any`); elsewhere `define` a query, and ask for it by its name.
        """
        statement, values = translate(sql, params)
        return self.cache.query(statement, *values, ttl=ttl, tags=tags)

    def read(self, table: str, key: Key | None = None, /, **columns: Any) -> Row | None:
        """Returns a row, or `None` when PostgreSQL has no such row."""
        row: Row | None = self.cache.read(table, key, **columns)
        return row

    def multiread(self, table: str, keys: Sequence[Any], *, column: str = "id") -> list[Row | None]:
        """Returns the rows of many lookup keys in their order."""
        return self.cache.multiread(table, keys, column=column)

    def write(self, table: str, key: Key, data: Any, *, ttl: int | None = None) -> None:
        """Stores a row in the cache; PostgreSQL is not written."""
        self.cache.write(table, key, data, ttl=ttl)

    def invalidate(self, table: str, key: Key | None = None, /, **columns: Any) -> None:
        """Drops a row from the cache. Call it after COMMIT; a watched table needs no call."""
        self.cache.invalidate(table, key, **columns)
