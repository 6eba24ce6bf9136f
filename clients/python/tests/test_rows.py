"""Rows: what becomes of JSON."""

import dataclasses
import enum
import unittest
from datetime import date, datetime, time, timezone
from decimal import Decimal
from typing import Any, Optional, Union
from uuid import UUID

from pgcache.rows import RowDecoder, decode_json


class Level(enum.Enum):
    """An Enum of a column."""

    HIGH = "high"


@dataclasses.dataclass
class Address:
    """A composite value."""

    city: str


@dataclasses.dataclass
class User:
    """A row with a field of every type that is made of text or of a number."""

    id: int
    balance: Decimal
    score: float
    created: datetime
    born: Optional[date]
    wakes: time
    token: UUID
    photo: bytes
    level: Level
    days: list[date]
    address: Address
    any: Any
    either: Union[int, str]
    settings: dict[str, Any]
    seen: int = dataclasses.field(init=False, default=0)


USER = (
    '{"id":1,"balance":1.50,"score":0.5,"created":"2024-01-02T03:04:05.5+00:00","born":null,"wakes":"06:30:00",'
    '"token":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","photo":"\\\\x00ff","level":"high","days":["2024-01-02"],'
    '"address":{"city":"Delft"},"any":"x","either":"y","settings":{},"seen":5,"new_column":true}'
)


class Model:
    """What a pydantic model looks like from outside."""

    def __init__(self, row):
        self.row = row

    @classmethod
    def model_validate(cls, row):
        return cls(row)


class Plain:
    """A class that takes columns by name."""

    def __init__(self, id):
        self.id = id


class TestRows(unittest.TestCase):
    """`decode_json` and `RowDecoder`."""

    def test_numbers_are_exact(self):
        row = decode_json('{"a":12345678901234567890,"b":0.1000000000000000000001,"c":1e400}')
        self.assertEqual(row, {"a": 12345678901234567890, "b": Decimal("0.1000000000000000000001"), "c": Decimal("1e400")})

    def test_a_number_may_have_more_digits_than_python_reads_by_itself(self):
        self.assertEqual(decode_json(b"[1" + b"0" * 5000 + b"]"), [10**5000])

    def test_what_is_no_json_is_an_error(self):
        with self.assertRaises(ValueError):
            decode_json("{")

    def test_bytes_and_text_are_the_same(self):
        self.assertEqual(decode_json('"é"'), decode_json('"é"'.encode()))

    def test_an_absent_row_is_none(self):
        rows = RowDecoder(decode_json, User)
        self.assertIsNone(rows.row(None))
        self.assertIsNone(rows.row("null"))
        self.assertEqual(rows.rows("[null]"), [None])

    def test_a_dataclass_gets_the_columns_that_it_has_fields_for_in_their_types(self):
        user = RowDecoder(decode_json, User).row(USER)
        moment = datetime(2024, 1, 2, 3, 4, 5, 500000, timezone.utc)
        self.assertEqual((user.id, user.balance, user.score, user.created), (1, Decimal("1.5"), 0.5, moment))
        self.assertIsInstance(user.score, float)
        self.assertEqual((user.born, user.wakes, user.photo, user.level), (None, time(6, 30), b"\0\xff", Level.HIGH))
        self.assertEqual((user.token, user.days), (UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), [date(2024, 1, 2)]))
        self.assertEqual((user.address, user.any, user.either, user.seen), (Address("Delft"), "x", "y", 0))

    def test_times_with_a_short_zone_are_read(self):
        @dataclasses.dataclass
        class Row:
            at: time

        self.assertEqual(RowDecoder(decode_json, Row).row('{"at":"06:30:00.25+00"}').at, time(6, 30, 0, 250000, timezone.utc))

    def test_a_value_that_a_field_cannot_hold_is_named(self):
        @dataclasses.dataclass
        class Row:
            at: datetime

        with self.assertRaisesRegex(ValueError, "column at has a value that Row.at cannot hold"):
            RowDecoder(decode_json, Row).row('{"at":"infinity"}')

    def test_a_pydantic_model_validates_the_row(self):
        self.assertEqual(RowDecoder(decode_json, Model).row('{"id":1}').row, {"id": 1})

    def test_any_other_class_takes_columns_by_name(self):
        self.assertEqual([one.id for one in RowDecoder(decode_json, Plain).rows('[{"id":1},{"id":2}]')], [1, 2])

    def test_a_decoder_of_the_callers_own_is_used(self):
        self.assertEqual(RowDecoder(lambda text: {"text": text}).row(b"{}"), {"text": b"{}"})


if __name__ == "__main__":
    unittest.main()
