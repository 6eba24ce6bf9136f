"""Events as an asynchronous iterator."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .cluster import is_cluster
from .events import CHANNEL, Event, Types
from .listening import POLL, Filter, Patience, Silence, async_node_client, learn_nodes, primaries

if TYPE_CHECKING:
    from typing_extensions import Self


class AsyncSubscription:
    """One connection that listens."""

    def __init__(self, client: Any, owns_client: bool) -> None:
        """Takes the client of a node, and whether it ends with the subscription."""
        self._client, self._owns_client = client, owns_client
        self._silence = Silence()
        self._pubsub = client.pubsub()

    async def open(self) -> Self:
        """Subscribes, and waits until the server says so."""
        try:
            await self._pubsub.subscribe(CHANNEL)
            while (message := await self.message(POLL)) is None or message["type"] != "subscribe":
                pass
        except BaseException:
            await self.close()
            raise
        return self

    async def message(self, timeout: float) -> Any:
        """Returns the next message, or `None` when none comes in time."""
        message = await self._pubsub.get_message(timeout=timeout)
        if message is not None:
            self._silence.heard()
        elif self._silence.wants_ping():
            await self._pubsub.ping()
        return message

    async def close(self) -> None:
        """Ends it."""
        ended = [self._pubsub, self._client.connection_pool] if self._owns_client else [self._pubsub]
        for one in ended:
            with contextlib.suppress(Exception):  # the connection may be gone
                await (getattr(one, "aclose", None) or getattr(one, "close", None) or one.disconnect)()


class AsyncEventStream:
    """The events of the cache, for `async for event in stream`; otherwise as `EventStream`."""

    def __init__(self, client: Any, types: Types = None) -> None:
        """Takes the client whose settings the connections have; they are opened by `listen` or the first event."""
        self._client, self._filter = client, Filter(types)
        self._subscriptions: dict[str, AsyncSubscription] = {}
        self._patience, self._closed = Patience(), False

    async def listen(self) -> Self:
        """Connects now: events are heard from here on. Raises the client's error when it cannot."""
        await self._subscribe()
        return self

    def __aiter__(self) -> Self:
        """Returns the stream."""
        return self

    async def __anext__(self) -> Event:
        """Waits for the next event."""
        while not self._closed:
            await self._try_to_subscribe()
            if not self._subscriptions:
                await asyncio.sleep(min(self._patience.left(), POLL))
                continue
            event = await self._next_event()
            if event is not None:
                return event
        await self._drop(list(self._subscriptions))
        raise StopAsyncIteration

    def close(self) -> None:
        """Ends the stream: the iteration ends within a moment."""
        self._closed = True

    async def __aenter__(self) -> Self:
        """Returns the stream."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the stream and its connections."""
        self.close()
        await self._drop(list(self._subscriptions))

    async def _next_event(self) -> Event | None:
        first, *others = self._subscriptions
        for other in others:  # they tell the same once more
            while await self._message(other, 0) is not None:
                pass
        message = await self._message(first, POLL)
        return None if message is None else self._filter.event(message)

    async def _message(self, name: str, timeout: float) -> Any:
        """Returns the next message of a node, or `None`; a node whose connection is lost is left."""
        try:
            return await self._subscriptions[name].message(timeout)
        except Exception:  # the errors of clients have no class in common
            await self._drop([name])
            return None

    async def _try_to_subscribe(self) -> None:
        if self._patience.left():
            return
        try:
            await self._subscribe()
        except Exception:  # the errors of clients have no class in common
            self._patience.failed()
            with contextlib.suppress(Exception):
                await learn_nodes(self._client)

    async def _subscribe(self) -> None:
        """Listens to every primary that there is now. Raises an error when one of them cannot be reached, after the others."""
        if is_cluster(self._client):
            await self._client.initialize()
        nodes, error = primaries(self._client), None
        await self._drop([name for name in self._subscriptions if name not in nodes])
        for name in [name for name in nodes if name not in self._subscriptions]:
            try:
                client = async_node_client(self._client, nodes[name])
                self._subscriptions[name] = await AsyncSubscription(client, client is not self._client).open()
            except Exception as failed:  # the errors of clients have no class in common
                error = failed
        if error is not None:
            raise error
        self._patience.reset()

    async def _drop(self, names: list[str]) -> None:
        for name in names:
            await self._subscriptions.pop(name).close()
