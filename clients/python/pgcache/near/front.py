"""The near cache as a client uses it: its core, its listeners, and what the client itself changes."""

from __future__ import annotations

import os
import weakref
from typing import Any, Generic, TypeVar

from ..server_calls import Names
from .core import NearCore
from .limits import NearCache
from .messages import ALL, Label
from .reads import spelled

L = TypeVar("L")


class Near(Generic[L]):
    """The near cache of one client. `listeners` are those of a client that blocks, or those for asyncio."""

    def __init__(self, limits: NearCache, listeners: type[L], client: Any, is_cluster: bool) -> None:
        """Takes how much is kept, and whose servers are listened to; nothing is sent before the first read."""
        self.core = NearCore(limits)
        self.listeners: L = listeners(self.core, client, is_cluster)  # type: ignore[call-arg]
        _forget_in_children(self)

    def forget_row(self, table: str, lookup_key: str) -> None:
        """Forgets a row that this process has changed."""
        self.core.forget(spelled(table, lookup_key)[:1])

    def forget_query(self, name: str) -> None:
        """Forgets the results of a query whose definition this process has changed."""
        self.core.forget([("query", name)])

    def forget(self, table: Names | None, tag: Names | None) -> None:
        """Forgets what this process has flushed: tables, tags or everything."""
        labels: list[Label] = [(kind, name) for name in _list(table) for kind in ("table", "table as")]
        labels += [("tag", name) for name in _list(tag)]
        self.core.forget(labels or [ALL])


def _list(names: Names | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _forget_in_children(near: Near[Any]) -> None:
    """Has a process that is forked begin without what its parent has heard."""
    found = weakref.ref(near)

    def begin_anew() -> None:
        near = found()
        if near is not None:
            near.core.begin_anew()
            near.listeners.begin_anew()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_anew)
