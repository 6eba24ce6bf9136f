"""Messages of the channel: what a near cache has to forget, and heartbeats. See docs/near-cache.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Label = tuple[str, ...]
"""What ends an answer: `("row", table, key)`, `("table", table)`, `("any", table)`, `("tag", tag)`, `("query", name)` or `ALL`."""

ALL: Label = ("all",)


@dataclass(frozen=True)
class Message:
    """One message."""

    run: str
    seq: int
    ends: frozenset[Label]
    """What it ends; empty for a heartbeat."""
    max_staleness: float | None = None
    """In seconds; only a heartbeat has it."""
    ages: Mapping[str, float] | None = None
    """By source: how long ago, in seconds, the changes were committed that may not have been told. Suspect sources are left out."""


def read_message(text: str | bytes) -> Message:
    """Reads a message. Raises `ValueError` for what is none."""
    fields = json.loads(text)
    try:
        run, seq = fields["run"], fields["seq"]
        if "sources" in fields:
            ages = {name: told["age_ms"] / 1000 for name, told in fields["sources"].items() if "age_ms" in told}
            return Message(run, seq, frozenset(), fields["max_staleness_ms"] / 1000, ages)
        return Message(run, seq, _ends(fields))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no message: {text!r}") from error


def _ends(fields: Mapping[str, Any]) -> frozenset[Label]:
    if "keys" in fields:
        table = fields["table"]
        return frozenset([("any", table), *(("row", table, key) for key in fields["keys"])])
    for kind in ("table", "tag", "query"):
        if kind in fields:
            return frozenset([(kind, fields[kind])])
    # Also what nobody knows yet.
    return frozenset([ALL])
