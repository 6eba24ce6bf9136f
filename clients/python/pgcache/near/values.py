"""Values that are kept: how each caller gets one of its own."""

from __future__ import annotations

import copy
import dataclasses
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Callable
from uuid import UUID

from ..rows import RowDecoder

_SCALARS = (str, int, float, type(None), bytes, Decimal, date, time, timedelta, UUID, Enum)  # datetime is a date
Make = Callable[[Any], Any]


def to_keep(row: Any, rows: RowDecoder) -> tuple[Any, Make | None]:
    """Returns what is kept of a decoded row, and what makes a caller's own of it (`None`: it can be shared)."""
    if row is None:
        return None, None
    copied = copy_of(row)
    if rows.build is None:
        return row, copied
    build = rows.build
    made = build(copied(row))
    if _is_frozen(made):
        return made, None
    return row, lambda row: build(copied(row))


def rows_to_keep(found: list[Any], rows: RowDecoder) -> tuple[Any, Make | None]:
    """The same for the decoded rows of a query."""
    kept = [to_keep(row, rows) for row in found]

    def make(_: Any) -> list[Any]:
        return [row if own is None else own(row) for row, own in kept]

    return kept, make


def copy_of(row: Any) -> Make:
    """Returns what copies a row as deep as it has to be."""
    if type(row) is dict and all(isinstance(value, _SCALARS) for value in row.values()):
        return dict.copy
    return copy.deepcopy


def _is_frozen(made: Any) -> bool:
    """Tells whether nothing of a dataclass can be changed."""
    parameters = getattr(type(made), "__dataclass_params__", None)
    if parameters is None or not parameters.frozen:
        return False
    return all(isinstance(getattr(made, field.name), _SCALARS) for field in dataclasses.fields(made))
