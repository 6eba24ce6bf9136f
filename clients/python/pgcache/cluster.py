"""Clusters: which client is one, and how a MULTIREAD is split among the nodes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from .calls import Call, raise_first_error
from .errors import PGCacheError, at_index


def is_cluster(client: Any) -> bool:
    """Tells whether a client of redis-py or valkey-py is one of a cluster."""
    return hasattr(client, "get_primaries") and hasattr(client, "get_node_from_key")


def is_async(client: Any) -> bool:
    """Tells whether a client's commands have to be awaited."""
    return inspect.iscoroutinefunction(client.execute_command)


def places_by_node(client: Any, keys: Sequence[str]) -> list[list[int]]:
    """Returns the places of the keys in `keys`, grouped by the node that owns them."""
    by_node: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        by_node.setdefault(client.get_node_from_key(key).name, []).append(place)
    return list(by_node.values())


def rows_in_order(parts: Sequence[tuple[list[int], Call[list[Any]]]], replies: Sequence[Any]) -> list[Any]:
    """Returns the rows of several MULTIREADs in the order in which the caller has named them."""
    rows: list[Any | None] = [None] * sum(len(places) for places, _ in parts)
    for (places, call), reply in zip(parts, replies):
        outcome = call.outcome(reply)
        if isinstance(outcome, PGCacheError) and outcome.index is not None:
            raise at_index(outcome, places[outcome.index]) from outcome.__cause__
        for place, row in zip(places, raise_first_error({"": outcome})[""]):
            rows[place] = row
    return rows
