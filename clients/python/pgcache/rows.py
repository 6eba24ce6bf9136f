"""Rows: what a reply's JSON becomes in Python."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Callable, Union

from .row_types import builder

Row = dict[str, Any]
Text = Union[str, bytes]
Decoder = Callable[[Text], Any]

_decode = json.JSONDecoder(parse_float=Decimal).decode


def _long_integer(digits: str) -> int:
    return int(Decimal(digits))


def decode_json(text: Text) -> Any:
    """Returns the value of JSON text. Every number is exact: whole numbers are `int` of any size, all others `Decimal`."""
    if isinstance(text, bytes):
        text = text.decode()
    try:
        return _decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # more digits than sys.set_int_max_str_digits allows
        return json.loads(text, parse_float=Decimal, parse_int=_long_integer)


class RowDecoder:
    """Decodes replies that hold one row or many, into mappings or into a type of the caller's."""

    def __init__(self, decoder: Decoder, row_type: type[Any] | None = None) -> None:
        """Takes what decodes JSON text, and the type of a row (`None`: a `dict`)."""
        self.decode = decoder
        self.build = builder(row_type) if row_type is not None else None

    def row(self, reply: Text | None) -> Any:
        """Returns the row of a reply of `PGCACHE.READ`, or `None`."""
        return None if reply is None else self._made(self.decode(reply))

    def rows(self, reply: Text) -> list[Any]:
        """Returns the rows of a JSON array, `None` for each that does not exist."""
        rows: list[Any] = self.decode(reply)
        return rows if self.build is None else [self._made(row) for row in rows]

    def _made(self, row: Any) -> Any:
        return row if row is None or self.build is None else self.build(row)
