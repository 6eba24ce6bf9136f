"""The core of a near cache: what is kept, what was heard, and whether the one vouches for the other. It has no I/O."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Callable

from .answers import Answers
from .entries import Entries, Entry
from .leases import Connection, Stream
from .limits import NearCache
from .messages import ALL, Label, Message, read_message
from .vouchers import Voucher

MISSING: Any = object()
"""What a lookup returns that finds nothing."""

_MAX_LOG = 1000
"""So many messages are remembered for reads under way; a read that takes longer is not kept."""


_NAMED_BY = {"as": "row", "table as": "table"}
"""Labels of this process's own, by its spelling of a row or a table, and what the server calls the same."""


@dataclass(frozen=True)
class Moment:
    """When a read began: what was heard by then and on which connections, and how many answers had come."""

    position: int
    generation: int
    answers: int
    at: float


@dataclass(frozen=True)
class NewEntry:
    """An answer that the server vouches for. `own` are labels by which this process itself ends it."""

    value: Any
    make: Callable[[Any], Any] | None
    voucher: Voucher
    own: tuple[Label, ...]
    size: int


class NearCore:
    """Keeps answers, and forgets them."""

    def __init__(self, limits: NearCache, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes how much to keep, and a clock that only goes forward, in seconds."""
        self._clock, self._limits = clock, limits
        self.hits = self.misses = self.invalidations = self.resets = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets everything, and hears nobody: at the start, and in a process that was forked."""
        self._lock = threading.Lock()
        self.entries = Entries(self._limits)
        self._by_key = self.entries.by_key
        self._connections: dict[str, Connection] = {}
        self._log: deque[frozenset[Label]] = deque(maxlen=_MAX_LOG)
        self._position = 0
        self._generation = 0
        self._answers = Answers()
        self.max_staleness = 2.0
        self.reason: str | None = "no heartbeat has come yet"

    def get(self, key: Hashable) -> Any:
        """Returns the answer that is kept under `key`, or `MISSING`. A caller may change what it gets."""
        entry = self._by_key.get(key)
        if entry is not None:
            now = self._clock()
            if now < entry.lease.until and now < entry.ends:
                try:
                    self._by_key.move_to_end(key)
                except KeyError:  # another thread has just forgotten it
                    return MISSING
                self.hits += 1
                make = entry.make
                return entry.value if make is None else make(entry.value)
            self.pass_by(key)
        self.misses += 1
        return MISSING

    def pass_by(self, key: Hashable) -> None:
        """Forgets what is kept under `key`, as the server is asked: nobody may find it again who has seen the server's answer."""
        with self._lock:
            self.entries.remove(key)

    def begin(self) -> Moment:
        """Returns the moment at which a read begins whose answer may be kept."""
        return Moment(self._position, self._generation, self._answers.count, self._clock())

    def take(self, key: Hashable, content: int | None, began: Moment, entry: NewEntry | None = None) -> None:
        """Takes an answer of the server, and keeps it as `entry` says if nothing was heard that ends it since the read began.

        `content` is alike for answers that are alike, `None` where that is not known. What is kept and differs is forgotten.
        """
        with self._lock:
            may_be_kept = self._answers.add(key, content, began.answers)
            kept = self._by_key.get(key)
            if kept is not None and (content is None or kept.content != content):
                self.entries.remove(key)
            if entry is not None and may_be_kept:
                self._keep(key, content, began, entry)

    def forget(self, labels: Iterable[Label]) -> None:
        """Forgets what this process itself has changed, under whatever spelling; reads under way are not kept."""
        with self._lock:
            ends = set(labels)
            for label in tuple(ends):
                named = _NAMED_BY.get(label[0])
                ends |= {other for other in self.entries.labels_with(label) if other[0] == named}
            self._end(frozenset(ends))

    def connect(self, name: str) -> Connection:
        """Enters a connection that has subscribed, in the place of an earlier one to the same node."""
        with self._lock:
            self._drop(self._connections.get(name))
            connection = self._connections[name] = Connection(name)
            return connection

    def lose(self, connection: Connection, reason: str) -> None:
        """A connection has ended, or is not to be relied on: forgets what it has vouched for."""
        with self._lock:
            if self._connections.get(connection.name) is connection:
                self._drop(connection)
                del self._connections[connection.name]
                self.reason = reason

    def hear(self, connection: Connection, text: str | bytes) -> None:
        """Takes a message. Raises `ValueError` for what is none: the connection is to be given up then."""
        message = read_message(text)
        with self._lock:
            stream = connection.streams.get(message.run)
            if stream is None:
                stream = connection.streams[message.run] = Stream(message.seq)
                self._generation += 1
            elif not stream.follows(message.seq):
                self._reset(message.run, stream)
            if message.max_staleness is not None:
                self._beat(connection, stream, message, message.max_staleness)
            else:
                self._end(message.ends)

    def is_heard(self, names: Iterable[str]) -> bool:
        """Tells whether all of these nodes are heard in time."""
        now = self._clock()
        found = [self._connections.get(name) for name in names]
        return all(connection is not None and connection.is_heard(now) for connection in found)

    def connected(self) -> list[str]:
        """Returns the names of the nodes that are listened to."""
        return list(self._connections)

    def stats(self) -> dict[str, Any]:
        """Returns figures."""
        with self._lock:
            reads = self.hits + self.misses
            live = bool(self._connections) and self.is_heard(self._connections)
            return {
                "hits": self.hits,
                "misses": self.misses,
                "hit_ratio": self.hits / reads if reads else 0.0,
                "entries": len(self._by_key),
                "bytes": self.entries.bytes,
                "evictions": self.entries.evictions,
                "invalidations": self.invalidations,
                "resets": self.resets,
                "live": live,
                "reason": None if live else self.reason or "heartbeats come too late",
            }

    def _keep(self, key: Hashable, content: int | None, began: Moment, new: NewEntry) -> None:
        labels = (*new.voucher.labels, *new.own, ("run", new.voucher.run))
        stream = self._stream(new.voucher.run)
        lease = stream.leases.get(new.voucher.source) if stream else None
        if lease is None or self._clock() >= lease.until or not self._was_heard_all(began, labels):
            return
        ends = float("inf") if new.voucher.ttl is None else began.at + new.voucher.ttl
        self.entries.add(key, Entry(new.value, new.make, lease, ends, labels, new.size, content))

    def _beat(self, connection: Connection, stream: Stream, message: Message, max_staleness: float) -> None:
        self.max_staleness = max_staleness
        if connection.pinged is not None:
            stream.beat(message, connection.pinged)
            self.reason = None

    def _stream(self, run: str) -> Stream | None:
        found = (connection.streams.get(run) for connection in self._connections.values())
        return next((stream for stream in found if stream is not None), None)

    def _was_heard_all(self, began: Moment, labels: tuple[Label, ...]) -> bool:
        missed = self._position - began.position
        if began.generation != self._generation or missed > len(self._log):
            return False
        recent = list(self._log)[len(self._log) - missed :]
        return all(ALL not in ends and ends.isdisjoint(labels) for ends in recent)

    def _end(self, ends: frozenset[Label]) -> None:
        self._position += 1
        self._log.append(ends)
        self.invalidations += self.entries.end(ends)

    def _reset(self, run: str, stream: Stream) -> None:
        self._generation += 1
        self.resets += 1
        stream.end()
        self.entries.end([("run", run)])

    def _drop(self, connection: Connection | None) -> None:
        for run, stream in connection.streams.items() if connection else ():
            self._reset(run, stream)
