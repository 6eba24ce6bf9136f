"""Clusters: which client is one, and how a MULTIREAD is split among the nodes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

from .calls import Call, raise_first_error
from .errors import PGCacheError, at_index


def is_cluster(client: Any) -> bool:
    """Tells whether a client of redis-py or valkey-py is one of a cluster."""
    return hasattr(client, "get_primaries") and hasattr(client, "get_node_from_key")


def is_async(client: Any) -> bool:
    """Tells whether a client's commands have to be awaited."""
    return inspect.iscoroutinefunction(client.execute_command)


Part = tuple[list[int], Call[list[Any]]]
"""A MULTIREAD, and the places of its keys among those of the caller."""


def places_by_node(client: Any, keys: Sequence[str], places: Iterable[int]) -> list[list[int]]:
    """Returns these places in `keys`, grouped by the node that owns the keys."""
    by_node: dict[str, list[int]] = {}
    for place in places:
        by_node.setdefault(client.get_node_from_key(keys[place]).name, []).append(place)
    return list(by_node.values())


def found_rows(parts: Sequence[Part], replies: Sequence[Any]) -> list[tuple[list[int], list[Any]]]:
    """Returns the rows of several MULTIREADs, each with the places of its rows; raises the first error."""
    found = []
    for (places, call), reply in zip(parts, replies):
        outcome = call.outcome(reply)
        if isinstance(outcome, PGCacheError) and outcome.index is not None:
            raise at_index(outcome, places[outcome.index]) from outcome.__cause__
        found.append((places, raise_first_error({"": outcome})[""]))
    return found


def in_order(found: Iterable[tuple[list[int], list[Any]]], count: int) -> list[Any]:
    """Returns so many rows in the order in which the caller has named them."""
    rows: list[Any] = [None] * count
    for places, part in found:
        for place, row in zip(places, part):
            rows[place] = row
    return rows


def zip_vouched(found: Iterable[tuple[list[int], list[Any]]], vouched: Sequence[Any]) -> Iterable[tuple[list[int], list[Any], Any]]:
    """Returns the rows of each MULTIREAD with what the server has vouched for in front of it."""
    return ((places, rows, reply) for (places, rows), reply in zip(found, vouched))
