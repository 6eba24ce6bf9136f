"""Pipelines: many commands in one round trip, decoded in the order in which they were queued."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import query_calls, row_calls
from .calls import Call, raise_first_error
from .keys import Key
from .options import of_query
from .rows import Decoder, RowDecoder

if TYPE_CHECKING:
    from typing_extensions import Self


class Queue:
    """Commands that wait to be sent. Every method returns the pipeline itself, and its result comes with `execute`."""

    def __init__(self, pipeline: Any, decoder: Decoder) -> None:
        """Takes the client's own pipeline."""
        self._pipeline, self._decoder = pipeline, decoder
        self._calls: list[Call[Any]] = []

    def read(
        self,
        table: str,
        key: Key | None = None,
        /,
        *,
        ttl: int | None = None,
        minlsn: str | None = None,
        row_type: type[Any] | None = None,
        **columns: Any,
    ) -> Self:
        """Queues the read of a row; its result is the row or `None`."""
        return self._queue(row_calls.read(table, key, columns, self._rows(row_type), ttl, minlsn))

    def write(self, table: str, key: Key, data: Any, *, ttl: int | None = None) -> Self:
        """Queues the storing of a row in the cache; its result is `None`."""
        return self._queue(row_calls.write(table, key, data, ttl))

    def invalidate(self, table: str, key: Key | None = None, /, **columns: Any) -> Self:
        """Queues the dropping of a row from the cache; its result is `None`."""
        return self._queue(row_calls.invalidate(table, key, columns))

    def query(
        self,
        query: str,
        /,
        *params: Any,
        ttl: int | None = None,
        tags: Sequence[str] = (),
        source: str | None = None,
        minlsn: str | None = None,
        row_type: type[Any] | None = None,
    ) -> Self:
        """Queues a query, by its name or by its SQL; its result is the list of rows."""
        options = of_query(ttl, tags, source)
        return self._queue(query_calls.query(query, params, self._rows(row_type), options, minlsn))

    def __len__(self) -> int:
        """Returns how many commands are queued."""
        return len(self._calls)

    def _queue(self, call: Call[Any]) -> Self:
        self._pipeline.execute_command(*call.words)
        self._calls.append(call)
        return self

    def _rows(self, row_type: type[Any] | None) -> RowDecoder:
        return RowDecoder(self._decoder, row_type)

    def _take(self) -> list[Call[Any]]:
        calls, self._calls = self._calls, []
        return calls


def _results(calls: Sequence[Call[Any]], replies: Sequence[Any], raise_on_error: bool) -> list[Any]:
    outcomes: dict[int, Any] = {place: call.outcome(reply) for place, (call, reply) in enumerate(zip(calls, replies))}
    return list((raise_first_error(outcomes) if raise_on_error else outcomes).values())


class Pipeline(Queue):
    """A pipeline of a client that blocks."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Sends all commands and returns their results in order.

        Every command is run. Then the first error is raised, or with `raise_on_error=False` errors stand in the places of results.
        """
        return _results(self._take(), self._pipeline.execute(raise_on_error=False), raise_on_error)

    def __enter__(self) -> Self:
        """Returns the pipeline."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Forgets what has not been sent."""
        self._take()
        self._pipeline.reset()


class AsyncPipeline(Queue):
    """A pipeline of an asyncio client."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Sends all commands and returns their results in order, as `Pipeline.execute` does."""
        return _results(self._take(), await self._pipeline.execute(raise_on_error=False), raise_on_error)

    async def __aenter__(self) -> Self:
        """Returns the pipeline."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Forgets what has not been sent. The client's own pipeline has no connection before `execute`, nor after it."""
        self._take()
