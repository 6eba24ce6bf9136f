"""A server as a near cache sees it: rows that change, notices that come late, and a wire that loses what it carries."""

from __future__ import annotations

import json
import random
from collections import deque
from typing import Any

from pgcache.near.core import MISSING, Moment, NearCore, NewEntry
from pgcache.near.limits import NearCache
from pgcache.near.vouchers import Voucher, read_voucher

MAX_STALENESS = 2.0


def message(seq: int, run: str = "r", **members: Any) -> str:
    """Returns a message of the channel."""
    return json.dumps({"run": run, "seq": seq, **members})


def heartbeat(seq: int, age_ms: float | None = 0, run: str = "r") -> str:
    """Returns a heartbeat of the source `default`."""
    told = {"suspect": "why"} if age_ms is None else {"age_ms": age_ms}
    return message(seq, run, max_staleness_ms=int(MAX_STALENESS * 1000), sources={"default": told})


def row_voucher(key: Any = '{"id":1}', source: str | None = "default", ttl_ms: int | None = None, run: str = "r") -> Voucher:
    """Returns what the server vouches for of a row."""
    fields = {"run": run, "table": "users", "key": key, "source": source, "ttl_ms": ttl_ms}
    voucher = read_voucher(json.dumps(fields))
    assert voucher is not None
    return voucher


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class World:
    """PostgreSQL, the server, the wire and a near cache, in whatever order a seed makes of them."""

    def __init__(self, seed: int, rows: int = 2) -> None:
        self.random, self.clock = random.Random(seed), Clock()
        self.core = NearCore(NearCache(entries=10), self.clock)
        self.history = [[(0.0, 0)] for _ in range(rows)]  # of each row: since when it has which version
        self.told = [0] * rows  # the newest version that the server has heard of
        self.served = [0] * rows  # the newest version that the server has answered
        self.seen = [0] * rows  # the newest version that a reader has seen
        self.untold: deque[tuple[int, int]] = deque()
        self.told_until, self.seq, self.run = self.clock.now, 0, "r0"
        self.wire: deque[str] = deque()
        self.pings: deque[str] = deque()
        self.reads: list[tuple[int, int, Moment, Voucher]] = []
        self.connection = self.core.connect("server")
        self.hits = 0

    def step(self) -> None:
        steps = [self.commit, self.tell, self.beat, self.beat, self.ping, self.pong, self.deliver, self.deliver]
        steps += [self.read] * 4 + [self.finish] * 4 + [self.pass_time] * 2
        if self.random.random() < 0.02:
            steps = [self.lose, self.drop, self.restart]
        self.random.choice(steps)()

    def commit(self) -> None:
        row = self.random.randrange(len(self.history))
        version = self.history[row][-1][1] + 1
        self.history[row].append((self.clock.now, version))
        self.untold.append((row, version))

    def tell(self) -> None:
        if self.untold:
            row, self.told[row] = self.untold.popleft()
            self.publish(table="users", keys=[f'{{"id":{row}}}'])

    def publish(self, **members: Any) -> None:
        self.seq += 1
        self.wire.append(message(self.seq, self.run, **members))

    def beat(self) -> None:
        if not self.untold:
            self.told_until = self.clock.now
        age_ms = (self.clock.now - self.told_until) * 1000
        if age_ms < MAX_STALENESS * 1000:
            self.seq += 1
            self.wire.append(heartbeat(self.seq, age_ms, self.run))

    def ping(self) -> None:
        self.pings.append(self.connection.ping(self.clock.now))

    def pong(self) -> None:
        if self.pings:
            self.wire.append(self.pings.popleft())

    def deliver(self) -> None:
        for _ in range(self.random.randrange(4)):
            if self.wire:
                came = self.wire.popleft()
                if came.isdigit():
                    self.connection.pong(came)
                else:
                    self.core.hear(self.connection, came)

    def lose(self) -> None:
        self.wire.clear()
        self.pings.clear()
        self.core.lose(self.connection, "lost")
        self.connection = self.core.connect("server")

    def drop(self) -> None:
        if self.wire and not self.wire[0].isdigit():
            self.wire.popleft()

    def restart(self) -> None:
        self.lose()
        self.run, self.seq = f"r{self.random.random()}", 0

    def pass_time(self) -> None:
        self.clock.now += self.random.random() / 4

    def read(self) -> None:
        row = self.random.randrange(len(self.history))
        found = self.core.get(row)
        if found is not MISSING:
            self.hits += 1
            oldest = [version for since, version in self.history[row] if since <= self.clock.now - MAX_STALENESS][-1]
            assert found >= oldest, f"row {row} is {found} near by, and was {oldest} long ago"
            assert found >= self.seen[row], f"row {row} is {found} near by, and somebody has seen {self.seen[row]}"
            return
        # The server knows of nothing newer, or PostgreSQL was asked. It does not go back.
        version = max(self.served[row], self.random.choice([self.told[row], self.history[row][-1][1]]))
        self.served[row] = version
        voucher = row_voucher(f'{{"id":{row}}}', run=self.run)
        self.reads.append((row, version, self.core.begin(), voucher))

    def finish(self) -> None:
        if self.reads:
            row, version, began, voucher = self.reads.pop(self.random.randrange(len(self.reads)))
            entry = NewEntry(version, None, voucher, (), 10) if self.random.random() < 0.8 else None
            self.core.take(row, version, began, entry)
            self.seen[row] = max(self.seen[row], version)

    def come_to_rest(self) -> None:
        """Everything is told and heard: what is kept is what PostgreSQL holds."""
        while self.untold:
            self.tell()
        self.reads.clear()
        while self.wire:
            self.deliver()
        for row, entry in self.core.entries.by_key.items():
            assert entry.value == self.history[row][-1][1], f"row {row} is kept as {entry.value}"
