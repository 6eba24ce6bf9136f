"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, TypeVar, overload

from . import query_calls, row_calls, server_calls
from .administration import AsyncAdministration
from .cached_query import decorate_async, options_of
from .calls import Call, Reach
from .cluster import found_rows, in_order, is_async, is_cluster, places_by_node, zip_vouched
from .keys import Key, lookup_keys
from .near.aio_listeners import AsyncListeners
from .near.core import MISSING
from .near.front import Near
from .near.keys import key_of, query_key, row_key
from .near.limits import Limits, limits_of
from .near.reads import ManyRead, QueryRead, RowRead, Words
from .options import of_query
from .pipeline import AsyncPipeline
from .rows import Decoder, Row, RowDecoder, decode_json
from .server_calls import Names

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")


class AsyncPGCache(AsyncAdministration):
    """Reads rows and queries of PostgreSQL through pgcache.

    `client` is a `Redis`, `RedisCluster`, `Valkey` or `ValkeyCluster` of the library's `asyncio` package.
    `decoder` makes Python values of JSON text (`str` or `bytes`); the default keeps every number exact.
    `near_cache` keeps so many answers in this process, and listens to what has changed: docs/near-cache.md.
    """

    def __init__(self, client: Any, *, decoder: Decoder = decode_json, near_cache: Limits = None) -> None:
        """Takes the client whose connections are used; nothing is sent."""
        if not is_async(client):
            raise TypeError("this client is not for asyncio: use PGCache")
        self._client, self._decoder = client, decoder
        self._is_cluster = is_cluster(client)
        limits = limits_of(near_cache)
        self._near = Near(limits, AsyncListeners, client, self._is_cluster) if limits else None

    @overload
    async def read(
        self,
        table: str,
        key: Key | None = None,
        /,
        *,
        ttl: int | None = None,
        minlsn: str | None = None,
        near: bool = True,
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
        near: bool = True,
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
        near: bool = True,
        row_type: type[Any] | None = None,
        **columns: Any,
    ) -> Any:
        """Returns a row, or `None` when PostgreSQL has no such row.

        The lookup key is a mapping, or columns by name: `read("users", id=1)`. A column that is called like an option needs the
        mapping. `ttl` is the time to live in seconds where the row is loaded. With `minlsn` the answer is at least as new as that
        position of PostgreSQL's write-ahead log. `near=False` goes past the near cache.
        """
        if self._near is None or (key is not None and (columns or type(key) is not dict)):
            return await self._run(row_calls.read(table, key, columns, self._rows(row_type), ttl, minlsn))
        entry_key = row_key(table, columns if key is None else key, row_type)
        if minlsn is not None or not near:
            self._near.core.pass_by(entry_key)
            return await self._run(row_calls.read(table, key, columns, self._rows(row_type), ttl, minlsn))
        found = self._near.core.get(entry_key)
        if found is not MISSING:
            return found
        call = row_calls.read(table, key, columns, self._rows(row_type), ttl, None)
        return await self._read_near(RowRead(self._near.core, entry_key, call, self._rows(row_type)))

    @overload
    async def multiread(
        self,
        table: str,
        keys: Sequence[Any],
        *,
        column: str = "id",
        ttl: int | None = None,
        minlsn: str | None = None,
        near: bool = True,
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
        near: bool = True,
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
        near: bool = True,
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
        if self._near is not None and near and minlsn is None:
            many = ManyRead(self._near.core, table, [key_of(table, key, column, row_type) for key in keys], named, rows)
            await self._read_many_near(many, table, named, ttl)
            return many.rows
        if self._near is not None:
            for key in keys:
                self._near.core.pass_by(key_of(table, key, column, row_type))
        parts = self._parts(range(len(named)), table, named, rows, ttl, minlsn)
        replies = await asyncio.gather(*(self._reply(call) for _, call in parts))
        return in_order(found_rows(parts, replies), len(named))

    async def write(self, table: str, key: Key, data: Any, *, ttl: int | None = None) -> None:
        """Stores a row in the cache; PostgreSQL is not written. `data` is the row, or `None` for one that does not exist."""
        call = row_calls.write(table, key, data, ttl)
        await self._run(call)
        if self._near is not None:
            self._near.forget_row(table, call.words[2])

    async def invalidate(self, table: str, key: Key | None = None, /, **columns: Any) -> None:
        """Drops a row from the cache. Call it after COMMIT; a watched table needs no call."""
        call = row_calls.invalidate(table, key, columns)
        await self._run(call)
        if self._near is not None:
            self._near.forget_row(table, call.words[2])

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
        near: bool = True,
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
        near: bool = True,
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
        near: bool = True,
        row_type: type[Any] | None = None,
    ) -> list[Any]:
        """Returns the rows of a query: `query` is the name of a definition, or SQL where the server allows it.

        `params` are the values of `$1`, `$2` and so on.
        """
        rows, options = self._rows(row_type), of_query(ttl, tags, source)
        call = query_calls.query(query, params, rows, options, minlsn)
        if self._near is None:
            return await self._run(call)
        entry_key = query_key(query, params, tags, source, row_type)
        if minlsn is not None or not near:
            self._near.core.pass_by(entry_key)
            return await self._run(call)
        found: list[Any] = self._near.core.get(entry_key)
        if found is not MISSING:
            return found
        asked = query_calls.result_words(query, params, of_query(None, tags, source))
        found = await self._read_near(QueryRead(self._near.core, entry_key, call, asked, rows))
        return found

    def cached_query(
        self,
        sql: str,
        *,
        ttl: int | None = None,
        tags: Sequence[str] = (),
        name: str | None = None,
        row_type: type[Any] | None = None,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates a function (`async def`): its arguments are the query's parameters, and its result is the query's rows.

        The query is defined when it is first asked, by the function's name and a digest, or by `name`; that takes the right to
        PGCACHE.DEFINE. The function's own body is not run.
        """
        return decorate_async(self, sql, name, options_of(ttl, tags), row_type)

    async def inspect_query(
        self, query: str, /, *params: Any, tags: Sequence[str] = (), source: str | None = None
    ) -> dict[str, Any]:
        """Returns what the cache holds for a query, and whether changes end its result."""
        return await self._run(query_calls.inspect(query, params, of_query(None, tags, source)))

    async def define(self, name: str, sql: str, *, ttl: int | None = None, tags: Sequence[str] = ()) -> None:
        """Gives a query a name, on every primary of a cluster. PostgreSQL checks it when it is asked."""
        await self._run(query_calls.define(name, sql, ttl, tags))
        if self._near is not None:
            self._near.forget_query(name)

    async def undefine(self, name: str) -> None:
        """Removes a definition, on every primary of a cluster."""
        await self._run(query_calls.undefine(name))
        if self._near is not None:
            self._near.forget_query(name)

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
        count = await self._run(server_calls.flush(all, table, tag, everywhere))
        if self._near is not None:
            self._near.forget(table, tag)
        return count

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

    async def barrier(self, timeout_ms: int | None = None, *, source: str | None = None) -> int:
        """Waits until all changes that were committed before are applied, on every primary; returns the microseconds waited."""
        return await self._run(server_calls.barrier(timeout_ms, source))

    async def near_stats(self) -> dict[str, Any]:
        """Returns figures of the near cache: hits, misses, entries, and whether it hears of changes now."""
        return _near_of(self._near).core.stats()

    async def close(self) -> None:
        """Ends the near cache's tasks. The client stays open."""
        if self._near is not None:
            await self._near.listeners.close()

    async def __aenter__(self) -> Self:
        """Returns the cache itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Closes it."""
        await self.close()

    async def _read_near(self, read: RowRead | QueryRead) -> Any:
        near = _near_of(self._near)
        await self._connect()
        near.listeners.ensure()
        replies = await self._replies(read.commands)
        return read.result(replies, near.listeners.is_heard())

    async def _read_many_near(self, many: ManyRead, table: str, named: Sequence[str], ttl: int | None) -> None:
        near = _near_of(self._near)
        near.listeners.ensure()
        parts = self._parts(many.missing, table, named, self._rows(None), ttl, None)
        commands = [words for places, call in parts for words in (many.near_words(places), call.words)]
        replies = await self._replies(commands) if commands else []
        for places, rows, vouched in zip_vouched(found_rows(parts, replies[1::2]), replies[::2]):
            many.take(places, vouched, rows, near.listeners.is_heard())

    def _parts(
        self, places: Sequence[int], table: str, named: Sequence[str], rows: RowDecoder, ttl: int | None, minlsn: str | None
    ) -> list[tuple[list[int], Call[list[Any]]]]:
        by_node = places_by_node(self._client, named, places) if self._is_cluster else [list(places)] if places else []
        return [(part, row_calls.multiread(table, [named[place] for place in part], rows, ttl, minlsn)) for part in by_node]

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

    async def _replies(self, commands: Sequence[Words]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for words in commands:
            pipeline.execute_command(*words)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies


def _near_of(near: Near[AsyncListeners] | None) -> Near[AsyncListeners]:
    if near is None:
        raise TypeError("this cache has no near cache: AsyncPGCache(client, near_cache=10_000)")
    return near
