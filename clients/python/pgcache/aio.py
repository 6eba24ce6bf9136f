"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar, overload

from . import query_calls, row_calls, server_calls
from .calls import Call, Reach
from .cluster import is_async, is_cluster, places_by_node, rows_in_order
from .keys import Key, lookup_keys
from .options import of_query
from .pipeline import AsyncPipeline
from .rows import Decoder, Row, RowDecoder, decode_json
from .server_calls import Names

T = TypeVar("T")


class AsyncPGCache:
    """Reads rows and queries of PostgreSQL through pgcache.

    `client` is a `Redis`, `RedisCluster`, `Valkey` or `ValkeyCluster` of the library's `asyncio` package.
    `decoder` makes Python values of JSON text (`str` or `bytes`); the default keeps every number exact.
    """

    def __init__(self, client: Any, *, decoder: Decoder = decode_json) -> None:
        """Takes the client whose connections are used; nothing is sent."""
        if not is_async(client):
            raise TypeError("this client is not for asyncio: use PGCache")
        self._client, self._decoder = client, decoder
        self._is_cluster = is_cluster(client)

    @overload
    async def read(
        self,
        table: str,
        key: Key | None = None,
        /,
        *,
        ttl: int | None = None,
        minlsn: str | None = None,
        row_type: None = None,
        **columns: Any,
    ) -> Row | None: ...

    @overload
    async def read(
        self,
        table: str,
        key: Key | None = None,
        /,
        *,
        ttl: int | None = None,
        minlsn: str | None = None,
        row_type: type[T],
        **columns: Any,
    ) -> T | None: ...

    async def read(
        self,
        table: str,
        key: Key | None = None,
        /,
        *,
        ttl: int | None = None,
        minlsn: str | None = None,
        row_type: type[Any] | None = None,
        **columns: Any,
    ) -> Any:
        """Returns a row, or `None` when PostgreSQL has no such row.

        The lookup key is a mapping, or columns by name: `read("users", id=1)`. A column that is called like an option needs the
        mapping. `ttl` is the time to live in seconds where the row is loaded. With `minlsn` the answer is at least as new as that
        position of PostgreSQL's write-ahead log.
        """
        return await self._run(row_calls.read(table, key, columns, self._rows(row_type), ttl, minlsn))

    @overload
    async def multiread(
        self,
        table: str,
        keys: Sequence[Any],
        *,
        column: str = "id",
        ttl: int | None = None,
        minlsn: str | None = None,
        row_type: None = None,
    ) -> list[Row | None]: ...

    @overload
    async def multiread(
        self,
        table: str,
        keys: Sequence[Any],
        *,
        column: str = "id",
        ttl: int | None = None,
        minlsn: str | None = None,
        row_type: type[T],
    ) -> list[T | None]: ...

    async def multiread(
        self,
        table: str,
        keys: Sequence[Any],
        *,
        column: str = "id",
        ttl: int | None = None,
        minlsn: str | None = None,
        row_type: type[Any] | None = None,
    ) -> list[Any]:
        """Returns the rows of many lookup keys in their order, `None` for each that does not exist.

        A lookup key is a mapping, or a plain value of `column`. In a cluster each node is asked for the rows that it has. An
        error of one key has that key's place in `keys` as `index`; no row is returned then.
        """
        rows, named = self._rows(row_type), lookup_keys(keys, column)
        if not named:
            return []
        await self._connect()
        places = places_by_node(self._client, named) if self._is_cluster else [list(range(len(named)))]
        parts = [(part, row_calls.multiread(table, [named[place] for place in part], rows, ttl, minlsn)) for part in places]
        return rows_in_order(parts, await asyncio.gather(*(self._reply(call) for _, call in parts)))

    async def write(self, table: str, key: Key, data: Any, *, ttl: int | None = None) -> None:
        """Stores a row in the cache; PostgreSQL is not written. `data` is the row, or `None` for one that does not exist."""
        await self._run(row_calls.write(table, key, data, ttl))

    async def invalidate(self, table: str, key: Key | None = None, /, **columns: Any) -> None:
        """Drops a row from the cache. Call it after COMMIT; a watched table needs no call."""
        await self._run(row_calls.invalidate(table, key, columns))

    async def key(self, table: str, key: Key | None = None, /, **columns: Any) -> str:
        """Returns the key under which the server stores a row."""
        return await self._run(row_calls.cache_key(table, key, columns))

    async def inspect(self, table: str, key: Key | None = None, /, **columns: Any) -> dict[str, Any]:
        """Returns what the cache holds for a row, and the statement that would load it."""
        return await self._run(row_calls.inspect(table, key, columns))

    def pipeline(self) -> AsyncPipeline:
        """Returns a pipeline: many commands in one round trip, outside of MULTI so that misses load."""
        return AsyncPipeline(self._client.pipeline(transaction=False), self._decoder)

    @overload
    async def query(
        self,
        query: str,
        /,
        *params: Any,
        ttl: int | None = None,
        tags: Sequence[str] = (),
        source: str | None = None,
        minlsn: str | None = None,
        row_type: None = None,
    ) -> list[Row]: ...

    @overload
    async def query(
        self,
        query: str,
        /,
        *params: Any,
        ttl: int | None = None,
        tags: Sequence[str] = (),
        source: str | None = None,
        minlsn: str | None = None,
        row_type: type[T],
    ) -> list[T]: ...

    async def query(
        self,
        query: str,
        /,
        *params: Any,
        ttl: int | None = None,
        tags: Sequence[str] = (),
        source: str | None = None,
        minlsn: str | None = None,
        row_type: type[Any] | None = None,
    ) -> list[Any]:
        """Returns the rows of a query: `query` is the name of a definition, or SQL where the server allows it.

        `params` are the values of `$1`, `$2` and so on.
        """
        options = of_query(ttl, tags, source)
        return await self._run(query_calls.query(query, params, self._rows(row_type), options, minlsn))

    async def inspect_query(
        self, query: str, /, *params: Any, tags: Sequence[str] = (), source: str | None = None
    ) -> dict[str, Any]:
        """Returns what the cache holds for a query, and whether changes end its result."""
        return await self._run(query_calls.inspect(query, params, of_query(None, tags, source)))

    async def define(self, name: str, sql: str, *, ttl: int | None = None, tags: Sequence[str] = ()) -> None:
        """Gives a query a name, on every primary of a cluster. PostgreSQL checks it when it is asked."""
        await self._run(query_calls.define(name, sql, ttl, tags))

    async def undefine(self, name: str) -> None:
        """Removes a definition, on every primary of a cluster."""
        await self._run(query_calls.undefine(name))

    async def definitions(self) -> list[dict[str, Any]]:
        """Returns all definitions: name, sql, ttl and tags of each."""
        return await self._run(query_calls.definitions())

    async def flush(
        self,
        *,
        all: bool = False,
        table: Names | None = None,
        tag: Names | None = None,
        everywhere: bool = False,
    ) -> int:
        """Drops everything, some tables or some tags, and returns how many tables or tags it dropped.

        A cluster drops it on every primary, and the number is the largest of theirs. `everywhere` has PostgreSQL tell every
        server that listens to it.
        """
        return await self._run(server_calls.flush(all, table, tag, everywhere))

    async def watch(self, table: str) -> None:
        """Has PostgreSQL tell of a table's changes."""
        await self._run(server_calls.watch(table))

    async def unwatch(self, table: str) -> None:
        """Ends that."""
        await self._run(server_calls.unwatch(table))

    async def watched(self) -> list[dict[str, Any]]:
        """Returns the watched tables, and how each is watched."""
        return await self._run(server_calls.watched())

    async def watch_sql(self, table: str) -> str:
        """Returns what `watch` would run, for a DBA to run instead."""
        return await self._run(server_calls.watch_sql(table))

    async def stats(self, *, table: str | None = None, query: str | None = None, command: str | None = None) -> dict[str, Any]:
        """Returns figures: all, or those of one table, query or command. A cluster returns a map for each primary, by its name."""
        return await self._run(server_calls.stats(table, query, command))

    async def reset_stats(self) -> None:
        """Has all figures begin anew."""
        await self._run(server_calls.reset_stats())

    async def health(self) -> dict[str, Any]:
        """Returns how the sources are. A cluster returns a map for each primary, by its name."""
        return await self._run(server_calls.health())

    async def barrier(self, timeout_ms: int | None = None, *, source: str | None = None) -> int:
        """Waits until all changes that were committed before are applied, on every primary; returns the microseconds waited."""
        return await self._run(server_calls.barrier(timeout_ms, source))

    def _rows(self, row_type: type[Any] | None) -> RowDecoder:
        return RowDecoder(self._decoder, row_type)

    async def _run(self, call: Call[T]) -> T:
        if not self._is_cluster or call.reach is Reach.KEY:
            return call.result(await self._reply(call))
        await self._connect()
        if call.reach is Reach.ONE:
            return call.result(await self._reply(call, target_nodes=[self._client.get_default_node()]))
        nodes = self._client.get_primaries()
        replies = await asyncio.gather(*(self._reply(call, target_nodes=[node]) for node in nodes))
        return call.result_of_all({node.name: reply for node, reply in zip(nodes, replies)})

    async def _connect(self) -> None:
        """Has a cluster's client learn which nodes there are; does nothing when it knows them."""
        if self._is_cluster:
            await self._client.initialize()

    async def _reply(self, call: Call[Any], **target: Any) -> Any:
        """Returns a command's reply, or the client's error."""
        try:
            return await self._client.execute_command(*call.words, **target)
        except Exception as error:  # the errors of clients have no class in common
            return error
