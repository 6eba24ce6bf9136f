"""Values of Python as JSON, in the spelling that PostgreSQL itself has for them."""

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Callable
from uuid import UUID

_string = json.JSONEncoder(ensure_ascii=False).encode

# A number that would end or begin with more zeros is written with an exponent, as its entry's key has it.
_MAX_ZEROS = 1000
_SURELY_FEWER_DIGITS = 1 << 3000


def to_json(value: Any) -> str:
    """Returns the JSON of a value: a scalar, a mapping or a sequence, which may nest.

    Columns of a mapping come in the order of their names and without spaces, as the key of a cached row has them, so that
    a cluster client finds the node of the row. Raises `TypeError` for a type that has no JSON.
    """
    if isinstance(value, Enum):  # it may be a string or a number as well
        return to_json(value.value)
    for kind in type(value).__mro__:
        write = _WRITERS.get(kind)
        if write is not None:
            return write(value)
    if isinstance(value, Mapping):
        return _mapping(value)
    raise TypeError(f"a {type(value).__name__} has no JSON: pass what PostgreSQL's to_json would print")


def _integer(value: int) -> str:
    if -_SURELY_FEWER_DIGITS < value < _SURELY_FEWER_DIGITS:
        return int.__repr__(value)
    return _decimal(Decimal(value))


def _decimal(value: Decimal) -> str:
    if value.is_nan():
        return '"NaN"'
    if value.is_infinite():
        return _infinity(value > 0)
    if not value:
        return "0"
    sign, digits, _ = value.as_tuple()
    significant = "".join(map(str, digits)).strip("0")
    exponent = value.adjusted() + 1 - len(significant)
    if exponent > _MAX_ZEROS or value.adjusted() + 1 < -_MAX_ZEROS:
        return f"{'-' if sign else ''}{significant}e{exponent}"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _float(value: float) -> str:
    if math.isnan(value):
        return '"NaN"'
    if math.isinf(value):
        return _infinity(value > 0)
    if value == 0:
        return "0"
    digits, _, exponent = float.__repr__(value).removesuffix(".0").partition("e")
    return f"{digits}e{int(exponent)}" if exponent else digits


def _infinity(positive: bool) -> str:
    return '"Infinity"' if positive else '"-Infinity"'


def _datetime(value: datetime) -> str:
    if value.tzinfo is None:
        return f'"{_without_zeros(value)}"'
    return f'"{_without_zeros(value.astimezone(timezone.utc).replace(tzinfo=None))}+00:00"'


def _time(value: time) -> str:
    if value.tzinfo is None:
        return f'"{_without_zeros(value)}"'
    return f'"{value.isoformat()}"'


def _without_zeros(value: Any) -> str:
    """Returns the ISO form of a time with its fraction as short as PostgreSQL prints it."""
    text: str = value.isoformat()
    return text.rstrip("0") if value.microsecond else text


def _bytes(value: Any) -> str:
    return f'"\\\\x{bytes(value).hex()}"'


def _mapping(value: Mapping[Any, Any]) -> str:
    for name in value:
        if not isinstance(name, str):
            raise TypeError(f"names of columns are strings, and {name!r} is none")
    return "{" + ",".join(f"{_string(str(name))}:{to_json(value[name])}" for name in sorted(value)) + "}"


def _sequence(value: Any) -> str:
    return "[" + ",".join(map(to_json, value)) + "]"


_WRITERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: _integer,
    float: _float,
    str: lambda value: _string(str.__str__(value)),
    Decimal: _decimal,
    datetime: _datetime,
    date: lambda value: f'"{value.isoformat()}"',
    time: _time,
    UUID: lambda value: f'"{value}"',
    bytes: _bytes,
    bytearray: _bytes,
    memoryview: _bytes,
    dict: _mapping,
    list: _sequence,
    tuple: _sequence,
}
