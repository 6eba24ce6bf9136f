"""Leases: until when answers may be served, by what was heard on which connection."""

from __future__ import annotations

import itertools
from collections import deque

from .messages import Message


class Lease:
    """Until when answers may be served, on the clock of the process that only goes forward."""

    __slots__ = ("until",)

    def __init__(self) -> None:
        """Has run out."""
        self.until = 0.0


class Stream:
    """The messages of one run: their last number, and a lease for each source."""

    def __init__(self, seq: int) -> None:
        """Takes the number of the first message."""
        self.seq = seq
        self.leases: dict[str | None, Lease] = {None: Lease()}

    def follows(self, seq: int) -> bool:
        """Tells whether no message is missing before this one, and takes its number."""
        is_next, self.seq = seq == self.seq + 1, seq
        return is_next

    def lease(self, source: str | None) -> Lease:
        """Returns the lease of a source; `None` stands for answers that nobody tells of."""
        return self.leases.setdefault(source, Lease())

    def end(self) -> None:
        """Has nothing served until the next heartbeat."""
        for lease in self.leases.values():
            lease.until = 0.0

    def beat(self, message: Message, pinged: float) -> None:
        """Extends the leases: everything was heard that was told before `pinged`, and what the heartbeat says of each source."""
        max_staleness, ages = message.max_staleness or 0.0, message.ages or {}
        self.lease(None).until = pinged + max_staleness
        for source, age in ages.items():
            self.lease(source).until = pinged - age + max_staleness


class Connection:
    """One connection that listens: the pings that travel on it, and the runs that are heard there."""

    def __init__(self, name: str) -> None:
        """Takes the name of the node that it leads to."""
        self.name = name
        self.streams: dict[str, Stream] = {}
        self.pinged: float | None = None
        """When the newest ping was sent whose answer has come."""
        self._numbers = itertools.count(1)
        self._pings: deque[tuple[int, float]] = deque()

    def ping(self, now: float) -> str:
        """Returns the payload of a ping that is sent now."""
        number = next(self._numbers)
        self._pings.append((number, now))
        return str(number)

    def pong(self, payload: str) -> None:
        """Takes the answer to a ping: what was told before that ping was sent has been heard."""
        while self._pings and self._pings[0][0] <= int(payload):
            self.pinged = self._pings.popleft()[1]

    def is_heard(self, now: float) -> bool:
        """Tells whether any run is heard there in time."""
        return any(now < stream.lease(None).until for stream in list(self.streams.values()))
