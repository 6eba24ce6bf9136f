"""Reads through a near cache: what is sent, and what is kept of the replies."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from ..calls import Call
from ..rows import RowDecoder
from .core import MISSING, Moment, NearCore, NewEntry
from .messages import Label
from .values import Make, rows_to_keep, to_keep
from .vouchers import Voucher, read_voucher, read_vouchers

Words = tuple[str, ...]


def near_words(table: str, keys: str) -> Words:
    """Returns the command that asks whether rows may be kept."""
    return ("PGCACHE.NEAR", table, keys)


def spelled(table: str, lookup_key: str) -> tuple[Label, ...]:
    """Returns the labels of a row by this process's own spelling of it."""
    return (("as", table, lookup_key), ("table as", table))


class OneRead:
    """A read whose answer becomes one entry. `own` are labels by which this process itself ends it."""

    def __init__(self, core: NearCore, key: Hashable, call: Call[Any], rows: RowDecoder, own: tuple[Label, ...] = ()) -> None:
        """Takes the entry's key, and the call that reads."""
        self._core, self._key, self._call, self._rows, self._own = core, key, call, rows, own
        self._began = core.begin()

    def result(self, replies: Sequence[Any], is_heard: bool) -> Any:
        """Returns the answer, and keeps it if it may be. `is_heard`: whether all nodes that may have answered are heard."""
        reply = replies[1]
        if isinstance(reply, Exception):
            return self._call.result(reply)
        voucher = read_voucher(replies[0]) if is_heard else None
        if voucher is None:
            self._core.take(self._key, hash(reply), self._began)
            return self._call.result(reply)
        value, make = self._to_keep(reply)
        entry = NewEntry(value, make, voucher, self._own, len(reply or ""))
        self._core.take(self._key, hash(reply), self._began, entry)
        return value if make is None else make(value)

    def _to_keep(self, reply: Any) -> tuple[Any, Make | None]:
        raise NotImplementedError


class RowRead(OneRead):
    """The read of one row that is not kept."""

    def __init__(self, core: NearCore, key: Hashable, call: Call[Any], rows: RowDecoder) -> None:
        """Takes the entry's key, and the call of PGCACHE.READ."""
        self._table, self._lookup_key = call.words[1], call.words[2]
        super().__init__(core, key, call, rows, spelled(self._table, self._lookup_key))

    @property
    def commands(self) -> list[Words]:
        """What is sent, in one pipeline."""
        return [near_words(self._table, self._lookup_key), self._call.words]

    def _to_keep(self, reply: Any) -> tuple[Any, Make | None]:
        return to_keep(None if reply is None else self._rows.decode(reply), self._rows)


class QueryRead(OneRead):
    """The asking of a query whose result is not kept."""

    def __init__(self, core: NearCore, key: Hashable, call: Call[list[Any]], asked: Words, rows: RowDecoder) -> None:
        """Takes the entry's key, the call of PGCACHE.QUERY, and its words without what does not name the result."""
        super().__init__(core, key, call, rows)
        self._asked = asked

    @property
    def commands(self) -> list[Words]:
        """What is sent, in one pipeline."""
        # In a cluster both go where the query goes.
        return [("PGCACHE.NEAR", "QUERY", self._call.words[2], *self._asked), self._call.words]

    def _to_keep(self, reply: Any) -> tuple[Any, Make | None]:
        return rows_to_keep(self._rows.decode(reply), self._rows)


class ManyRead:
    """The read of many rows, some of which are kept."""

    def __init__(self, core: NearCore, table: str, keys: Sequence[Hashable], lookup_keys: Sequence[str], rows: RowDecoder) -> None:
        """Takes the entries' keys, and the JSON of the lookup keys."""
        self._core, self._table, self._keys, self._lookup_keys, self._rows = core, table, keys, lookup_keys, rows
        self.rows = [core.get(key) for key in keys]
        self.missing = [place for place, row in enumerate(self.rows) if row is MISSING]
        self._began: Moment = core.begin()

    def near_words(self, places: Sequence[int]) -> Words:
        """Returns the command that asks whether the rows in these places may be kept."""
        return near_words(self._table, "[" + ",".join(self._lookup_keys[place] for place in places) + "]")

    def take(self, places: Sequence[int], vouched: Any, found: Sequence[Any], is_heard: bool) -> None:
        """Takes the decoded rows in these places, and keeps those that may be. `vouched` is the reply to `near_words`."""
        vouchers = read_vouchers(vouched if is_heard else None, len(places))
        for place, row, voucher in zip(places, found, vouchers):
            self.rows[place] = self._own(place, row, voucher)

    def _own(self, place: int, row: Any, voucher: Voucher | None) -> Any:
        if voucher is None:
            self._core.take(self._keys[place], None, self._began)
            return row if row is None or self._rows.build is None else self._rows.build(row)
        value, make = to_keep(row, self._rows)
        own = spelled(self._table, self._lookup_keys[place])
        # The server counts the bytes of a row that is kept; here it is close enough.
        text = str(value)
        self._core.take(self._keys[place], hash(text), self._began, NewEntry(value, make, voucher, own, len(text)))
        return value if make is None else make(value)
