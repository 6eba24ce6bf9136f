"""Values as JSON, in PostgreSQL's own spelling."""

import enum
import unittest
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

from pgcache.values import to_json


class Colour(str, enum.Enum):
    """A string that is an Enum."""

    RED = "red"


class Level(enum.IntEnum):
    """A number that is an Enum."""

    HIGH = 3


class TestValues(unittest.TestCase):
    """`to_json`."""

    def assert_json(self, *pairs):
        for value, text in pairs:
            with self.subTest(value=value):
                self.assertEqual(to_json(value), text)

    def test_scalars(self):
        self.assert_json((None, "null"), (True, "true"), (False, "false"), (7, "7"), ('é\n"\\', '"é\\n\\"\\\\"'))

    def test_an_int_has_any_size(self):
        self.assert_json((2**63, "9223372036854775808"), (10**999, "1" + "0" * 999), (10**5000 + 1, "1" + "0" * 4999 + "1"))

    def test_decimals_keep_every_digit_and_no_zero_behind_them(self):
        long = "0.1234567890123456789012345678901234567890"
        self.assert_json((Decimal("1.50"), "1.5"), (Decimal("100"), "100"), (Decimal("1E+3"), "1000"), (Decimal(long), long[:-1]))
        self.assert_json((Decimal("-0"), "0"), (Decimal("-1.00"), "-1"))

    def test_more_than_a_thousand_zeros_become_an_exponent(self):
        self.assert_json((10**1000, "1" + "0" * 1000), (-(10**1001), "-1e1001"), (Decimal("1.20E+2000"), "12e1999"))
        self.assert_json((Decimal("1E-1001"), "0." + "0" * 1000 + "1"), (Decimal("1.2E-1002"), "12e-1003"))

    def test_numbers_that_are_none_in_json_are_strings(self):
        self.assert_json((Decimal("NaN"), '"NaN"'), (Decimal("-Infinity"), '"-Infinity"'))
        self.assert_json((float("nan"), '"NaN"'), (float("inf"), '"Infinity"'))

    def test_whole_floats_have_no_fraction(self):
        self.assert_json((1.0, "1"), (-0.0, "0"), (0.1, "0.1"), (1.5e300, "1.5e300"), (1e-5, "1e-5"), (1e15, "1000000000000000"))

    def test_times_are_as_postgresql_prints_them_in_utc(self):
        moment = datetime(2024, 1, 2, 3, 4, 5, 500000)
        self.assert_json((moment, '"2024-01-02T03:04:05.5"'), (moment.replace(microsecond=0), '"2024-01-02T03:04:05"'))
        east = timezone(timedelta(hours=2))
        self.assert_json((moment.replace(tzinfo=east), '"2024-01-02T01:04:05.5+00:00"'))
        self.assert_json((date(2024, 1, 2), '"2024-01-02"'), (time(1, 2, 3, 10), '"01:02:03.00001"'))
        self.assert_json((time(1, 2, tzinfo=timezone.utc), '"01:02:00+00:00"'))

    def test_a_whole_tens_of_seconds_keep_their_zero(self):
        self.assert_json((datetime(2024, 1, 2, 3, 40, 50), '"2024-01-02T03:40:50"'), (time(0, 0), '"00:00:00"'))

    def test_uuids_and_bytes_are_text(self):
        self.assert_json((UUID("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'))
        self.assert_json((b"\x00\xff", '"\\\\x00ff"'), (bytearray(b"a"), '"\\\\x61"'), (memoryview(b"a"), '"\\\\x61"'))

    def test_an_enum_is_its_value(self):
        self.assert_json((Colour.RED, '"red"'), (Level.HIGH, "3"))

    def test_values_nest_and_columns_are_sorted(self):
        self.assert_json(
            ({"b": [1, (Decimal("2.0"),)], "a": None}, '{"a":null,"b":[1,[2]]}'), (MappingProxyType({"a": 1}), '{"a":1}')
        )

    def test_what_has_no_json_is_refused_by_its_type(self):
        with self.assertRaisesRegex(TypeError, "a set has no JSON"):
            to_json({1})
        with self.assertRaisesRegex(TypeError, "1 is none"):
            to_json({1: 2})


if __name__ == "__main__":
    unittest.main()
