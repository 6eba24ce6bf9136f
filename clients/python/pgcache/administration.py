"""What only administrators do: hooks, figures, the slow log, the busiest keys; and the streams of events."""

from __future__ import annotations

from typing import Any, TypeVar

from . import server_calls
from .async_event_stream import AsyncEventStream
from .calls import Call
from .event_stream import EventStream
from .events import Types

T = TypeVar("T")


class Administration:
    """These methods of the client that blocks."""

    _client: Any

    def events(self, types: Types = None) -> EventStream:
        """Returns what the cache does from the first event on, of some types or all: `for event in cache.events("cache_miss")`.

        The setting `events` chooses which types the server publishes.
        """
        return EventStream(self._client, types)

    def add_hook(
        self,
        name: str,
        event: str,
        *,
        function: str | None = None,
        publish: str | None = None,
        stream: str | None = None,
        maxlen: int | None = None,
        table: str | None = None,
        priority: int | None = None,
    ) -> None:
        """Has each primary call a function, publish on a channel or write to a stream when an event happens."""
        self._run(server_calls.add_hook(name, event, function, publish, stream, maxlen, table, priority))

    def remove_hook(self, name: str) -> None:
        """Removes a hook, on every primary."""
        self._run(server_calls.remove_hook(name))

    def enable_hook(self, name: str, enabled: bool = True) -> None:
        """Switches a hook on or off, on every primary."""
        self._run(server_calls.enable_hook(name, enabled))

    def hooks(self) -> list[dict[str, Any]]:
        """Returns all hooks, with what became of them. A cluster returns a list for each primary, by its name."""
        return self._run(server_calls.hooks())

    def slowlog(self, count: int | None = None) -> list[dict[str, Any]]:
        """Returns the latest slow commands: 10, or `count` (-1: all). A cluster returns a list for each primary, by its name."""
        return self._run(server_calls.slowlog(count))

    def reset_slowlog(self) -> None:
        """Forgets them."""
        self._run(server_calls.reset_slowlog())

    def stats(self, *, table: str | None = None, query: str | None = None, command: str | None = None) -> dict[str, Any]:
        """Returns figures: all, or those of one table, query or command. A cluster returns a map for each primary, by its name."""
        return self._run(server_calls.stats(table, query, command))

    def reset_stats(self) -> None:
        """Has all figures begin anew."""
        self._run(server_calls.reset_stats())

    def health(self) -> dict[str, Any]:
        """Returns how the sources are. A cluster returns a map for each primary, by its name."""
        return self._run(server_calls.health())

    def top_keys(self, count: int | None = None, *, table: str | None = None) -> dict[str, Any]:
        """Returns the keys that are hit most, from a sample that begins with the first call: ask again."""
        return self._run(server_calls.top_keys(count, table))

    def _run(self, call: Call[T]) -> T:
        raise NotImplementedError


class AsyncAdministration:
    """These methods of the client for asyncio."""

    _client: Any

    def events(self, types: Types = None) -> AsyncEventStream:
        """Returns what the cache does from the first event on, of some types or all: `async for event in cache.events()`."""
        return AsyncEventStream(self._client, types)

    async def add_hook(
        self,
        name: str,
        event: str,
        *,
        function: str | None = None,
        publish: str | None = None,
        stream: str | None = None,
        maxlen: int | None = None,
        table: str | None = None,
        priority: int | None = None,
    ) -> None:
        """Has each primary call a function, publish on a channel or write to a stream when an event happens."""
        await self._run(server_calls.add_hook(name, event, function, publish, stream, maxlen, table, priority))

    async def remove_hook(self, name: str) -> None:
        """Removes a hook, on every primary."""
        await self._run(server_calls.remove_hook(name))

    async def enable_hook(self, name: str, enabled: bool = True) -> None:
        """Switches a hook on or off, on every primary."""
        await self._run(server_calls.enable_hook(name, enabled))

    async def hooks(self) -> list[dict[str, Any]]:
        """Returns all hooks, with what became of them. A cluster returns a list for each primary, by its name."""
        return await self._run(server_calls.hooks())

    async def slowlog(self, count: int | None = None) -> list[dict[str, Any]]:
        """Returns the latest slow commands: 10, or `count` (-1: all). A cluster returns a list for each primary, by its name."""
        return await self._run(server_calls.slowlog(count))

    async def reset_slowlog(self) -> None:
        """Forgets them."""
        await self._run(server_calls.reset_slowlog())

    async def stats(self, *, table: str | None = None, query: str | None = None, command: str | None = None) -> dict[str, Any]:
        """Returns figures: all, or those of one table, query or command. A cluster returns a map for each primary, by its name."""
        return await self._run(server_calls.stats(table, query, command))

    async def reset_stats(self) -> None:
        """Has all figures begin anew."""
        await self._run(server_calls.reset_stats())

    async def health(self) -> dict[str, Any]:
        """Returns how the sources are. A cluster returns a map for each primary, by its name."""
        return await self._run(server_calls.health())

    async def top_keys(self, count: int | None = None, *, table: str | None = None) -> dict[str, Any]:
        """Returns the keys that are hit most, from a sample that begins with the first call: ask again."""
        return await self._run(server_calls.top_keys(count, table))

    async def _run(self, call: Call[T]) -> T:
        raise NotImplementedError
