"""Limits of a near cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union


@dataclass(frozen=True)
class NearCache:
    """How much a near cache keeps: so many answers, and so many bytes of their JSON. What was not used for longest goes first."""

    entries: int = 10_000
    bytes: int = 64 << 20

    def __post_init__(self) -> None:
        """Refuses limits that keep nothing."""
        if self.entries < 1 or self.bytes < 1:
            raise ValueError("a near cache keeps at least one entry, of at least one byte")


Limits = Union[NearCache, int, None]


def limits_of(near_cache: Limits) -> NearCache | None:
    """Returns the limits that `near_cache` means: a number is one of entries; `None` is no near cache."""
    if near_cache is None or isinstance(near_cache, NearCache):
        return near_cache
    return NearCache(entries=near_cache)
