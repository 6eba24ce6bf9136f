"""Vouchers: what the server says of an answer that may be kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .messages import Label


@dataclass(frozen=True)
class Voucher:
    """What `PGCACHE.NEAR` says of one answer."""

    run: str
    labels: tuple[Label, ...]
    """What ends it."""
    source: str | None
    """The source that tells of its changes; `None`: nobody does."""
    ttl: float | None
    """In seconds, from when the server was asked; `None`: it does not expire."""


def read_voucher(reply: Any) -> Voucher | None:
    """Returns what a reply vouches for; `None` for nil, for an error and for what cannot be read."""
    return _voucher(_decoded(reply))


def read_vouchers(reply: Any, count: int) -> list[Voucher | None]:
    """Returns what a reply vouches for, of so many answers."""
    fields = _decoded(reply)
    if not isinstance(fields, list) or len(fields) != count:
        return [None] * count
    return [_voucher(one) for one in fields]


def _decoded(reply: Any) -> Any:
    if not isinstance(reply, (str, bytes)):
        return None
    try:
        return json.loads(reply)
    except ValueError:
        return None


def _voucher(fields: Any) -> Voucher | None:
    if not isinstance(fields, dict) or "run" not in fields:
        return None
    ttl = fields.get("ttl_ms")
    return Voucher(fields["run"], tuple(_labels(fields)), fields.get("source"), None if ttl is None else ttl / 1000)


def _labels(fields: dict[str, Any]) -> list[Label]:
    if "query" in fields:
        tables = [(kind, table) for table in fields["tables"] for kind in ("any", "table")]
        return [("query", fields["query"]), *(("tag", tag) for tag in fields["tags"]), *tables]
    table = fields["table"]
    ends: Label = ("any", table) if fields.get("key") is None else ("row", table, fields["key"])
    return [ends, ("table", table)]
