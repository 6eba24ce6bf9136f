"""Entries: answers that are kept, the least recently used of which go first, and what ends each."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Any, Callable

from .leases import Lease
from .limits import NearCache
from .messages import ALL, Label


class Entry:
    """An answer that is kept."""

    __slots__ = ("content", "ends", "labels", "lease", "make", "size", "value")

    def __init__(
        self,
        value: Any,
        make: Callable[[Any], Any] | None,
        lease: Lease,
        ends: float,
        labels: tuple[Label, ...],
        size: int,
        content: int | None,
    ) -> None:
        """Takes the answer, what makes a caller's own of it (`None`: it can be shared), and until when it may be served."""
        self.content = content
        self.value, self.make, self.lease, self.ends, self.labels, self.size = value, make, lease, ends, labels, size


class Entries:
    """All entries. Changing them takes the near cache's lock; looking one up takes none."""

    def __init__(self, limits: NearCache) -> None:
        """Takes how much there may be."""
        self._limits = limits
        self.by_key: OrderedDict[Hashable, Entry] = OrderedDict()
        self._by_label: dict[Label, set[Hashable]] = {}
        self.bytes = 0
        self.evictions = 0

    def add(self, key: Hashable, entry: Entry) -> None:
        """Keeps an entry in the place of one under the same key; others go where there is no room."""
        self.remove(key)
        if entry.size > self._limits.bytes:
            return
        self.by_key[key] = entry
        self.bytes += entry.size
        for label in entry.labels:
            self._by_label.setdefault(label, set()).add(key)
        while len(self.by_key) > self._limits.entries or self.bytes > self._limits.bytes:
            self.remove(next(iter(self.by_key)))
            self.evictions += 1

    def remove(self, key: Hashable) -> None:
        """Forgets an entry, if there is one."""
        entry = self.by_key.pop(key, None)
        if entry is None:
            return
        self.bytes -= entry.size
        for label in entry.labels:
            keys = self._by_label[label]
            keys.discard(key)
            if not keys:
                del self._by_label[label]

    def end(self, labels: Iterable[Label]) -> int:
        """Forgets everything that has any of these labels, and returns how many entries that were."""
        count = len(self.by_key)
        for label in labels:
            if label == ALL:
                self.clear()
            for key in list(self._by_label.get(label, ())):
                self.remove(key)
        return count - len(self.by_key)

    def labels_with(self, label: Label) -> set[Label]:
        """Returns the labels of the entries that have this one."""
        return {other for key in self._by_label.get(label, ()) for other in self.by_key[key].labels}

    def clear(self) -> None:
        """Forgets everything."""
        self.by_key.clear()
        self._by_label.clear()
        self.bytes = 0
