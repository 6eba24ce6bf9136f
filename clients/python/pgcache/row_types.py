"""Types of rows: makes dataclasses, pydantic models and other classes out of rows."""

import dataclasses
import re
import types
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, Callable, Union, get_args, get_origin, get_type_hints
from uuid import UUID

Convert = Callable[[Any], Any]
Build = Callable[[Mapping[str, Any]], Any]
_BUILDERS: dict[type[Any], Build] = {}
_UNIONS = (Union, getattr(types, "UnionType", Union))


def builder(row_type: type[Any]) -> Build:
    """Returns the function that makes a `row_type` of a row.

    A dataclass gets the columns that it has fields for, as values of the fields' types. A pydantic model validates the row
    itself. Any other class is called with all columns by name.
    """
    if row_type not in _BUILDERS:
        _BUILDERS[row_type] = _builder(row_type)
    return _BUILDERS[row_type]


def _builder(row_type: type[Any]) -> Build:
    for validate in ("model_validate", "parse_obj"):  # pydantic 2 and 1
        if hasattr(row_type, validate):
            made: Build = getattr(row_type, validate)
            return made
    if dataclasses.is_dataclass(row_type):
        return _dataclass_builder(row_type)
    return lambda row: row_type(**row)


def _dataclass_builder(row_type: type[Any]) -> Build:
    hints = get_type_hints(row_type)
    converts = {field.name: _converter(hints[field.name]) for field in dataclasses.fields(row_type) if field.init}

    def field(name: str, value: Any) -> Any:
        try:
            return converts[name](value)
        except (ArithmeticError, TypeError, ValueError) as error:  # infinity, or a year before 1
            raise ValueError(f"column {name} has a value that {row_type.__name__}.{name} cannot hold") from error

    def build(row: Mapping[str, Any]) -> Any:
        return row_type(**{name: field(name, value) for name, value in row.items() if name in converts})

    return build


def _converter(hint: Any) -> Convert:
    """Returns the function that makes a value of a type out of a JSON value; null stays `None`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in _UNIONS:
        kinds = [kind for kind in arguments if kind is not type(None)]
        return _converter(kinds[0]) if len(kinds) == 1 else _same
    if origin is list and arguments:
        each = _converter(arguments[0])
        return _unless_none(lambda values: [each(value) for value in values])
    if not isinstance(hint, type):
        return _same
    convert = _CONVERTERS.get(hint)
    if convert is None and issubclass(hint, Enum):
        convert = hint
    elif convert is None and dataclasses.is_dataclass(hint):
        convert = builder(hint)
    return _same if convert is None else _unless_none(convert)


def _same(value: Any) -> Any:
    return value


def _unless_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _iso(text: str) -> str:
    """Returns the time that PostgreSQL has printed as Python before 3.11 reads it: six digits of a fraction, minutes of a zone."""
    text = re.sub(r"\.\d+", lambda fraction: fraction[0].ljust(7, "0"), text)
    return text + ":00" if re.search(r":\d\d(\.\d+)?[+-]\d\d$", text) else text


_CONVERTERS: dict[Any, Convert] = {
    datetime: lambda text: datetime.fromisoformat(_iso(text)),
    date: date.fromisoformat,
    time: lambda text: time.fromisoformat(_iso(text)),
    Decimal: Decimal,
    float: float,
    UUID: UUID,
    bytes: lambda text: bytes.fromhex(text[2:]),  # \x…
}
