"""Events as an iterator that blocks."""

from __future__ import annotations

import contextlib
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .events import CHANNEL, Event, Types
from .listening import POLL, Filter, Patience, Silence, learn_nodes, node_client, primaries

if TYPE_CHECKING:
    from typing_extensions import Self


class Subscription:
    """One connection that listens."""

    def __init__(self, client: Any) -> None:
        """Subscribes, and waits until the server says so."""
        self._silence = Silence()
        self._pubsub = client.pubsub()
        try:
            self._pubsub.subscribe(CHANNEL)
            while (message := self.message(POLL)) is None or message["type"] != "subscribe":
                pass
        except BaseException:
            self.close()
            raise

    def message(self, timeout: float) -> Any:
        """Returns the next message, or `None` when none comes in time."""
        message = self._pubsub.get_message(timeout=timeout)
        if message is not None:
            self._silence.heard()
        elif self._silence.wants_ping():
            self._pubsub.ping()
        return message

    def close(self) -> None:
        """Ends it."""
        with contextlib.suppress(Exception):  # the connection may be gone
            self._pubsub.close()


class EventStream:
    """The events of the cache, for `for event in stream`. It connects again by itself, and ends with `close`.

    What happens while there is no connection is not heard. In a cluster a node publishes only while somebody listens to it,
    and what it publishes reaches the listeners of all nodes. So the stream listens to every primary, and passes on what it
    hears from one of them.
    """

    def __init__(self, client: Any, types: Types = None) -> None:
        """Takes the client whose settings the connections have; they are opened by `listen` or the first event."""
        self._client, self._filter = client, Filter(types)
        self._subscriptions: dict[str, Subscription] = {}
        self._patience, self._closed = Patience(), threading.Event()

    def listen(self) -> Self:
        """Connects now: events are heard from here on. Raises the client's error when it cannot."""
        self._subscribe()
        return self

    def __iter__(self) -> Self:
        """Returns the stream."""
        return self

    def __next__(self) -> Event:
        """Waits for the next event."""
        while not self._closed.is_set():
            self._try_to_subscribe()
            if not self._subscriptions:
                self._closed.wait(self._patience.left())
                continue
            event = self._next_event()
            if event is not None:
                return event
        self._drop(list(self._subscriptions))
        raise StopIteration

    def close(self) -> None:
        """Ends the stream, also from another thread: the iteration ends within a moment."""
        self._closed.set()

    def __enter__(self) -> Self:
        """Returns the stream."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Ends the stream and its connections."""
        self.close()
        self._drop(list(self._subscriptions))

    def _next_event(self) -> Event | None:
        first, *others = self._subscriptions
        for other in others:  # they tell the same once more
            while self._message(other, 0) is not None:
                pass
        message = self._message(first, POLL)
        return None if message is None else self._filter.event(message)

    def _message(self, name: str, timeout: float) -> Any:
        """Returns the next message of a node, or `None`; a node whose connection is lost is left."""
        try:
            return self._subscriptions[name].message(timeout)
        except Exception:  # the errors of clients have no class in common
            self._drop([name])
            return None

    def _try_to_subscribe(self) -> None:
        if self._patience.left():
            return
        try:
            self._subscribe()
        except Exception:  # the errors of clients have no class in common
            self._patience.failed()
            with contextlib.suppress(Exception):
                learn_nodes(self._client)

    def _subscribe(self) -> None:
        """Listens to every primary that there is now. Raises an error when one of them cannot be reached, after the others."""
        nodes, error = primaries(self._client), None
        self._drop([name for name in self._subscriptions if name not in nodes])
        for name in [name for name in nodes if name not in self._subscriptions]:
            try:
                self._subscriptions[name] = Subscription(node_client(self._client, nodes[name]))
            except Exception as failed:  # the errors of clients have no class in common
                error = failed
        if error is not None:
            raise error
        self._patience.reset()

    def _drop(self, names: list[str]) -> None:
        for name in names:
            self._subscriptions.pop(name).close()
