"""Placeholders of other libraries."""

import random
import unittest

from pgcache.placeholders import translate


class Placeholders(unittest.TestCase):
    """What becomes of statements."""

    def test_each_style_becomes_numbers(self):
        cases = [
            ("a = ? AND b = ?", [1, 2], "a = $1 AND b = $2", [1, 2]),
            ("a = %s AND b LIKE '%%' AND c % 2 = %s", (1, 2), "a = $1 AND b LIKE '%%' AND c % 2 = $2", [1, 2]),
            ("a %% 2 = %s", [1], "a % 2 = $1", [1]),
            ("a = $2 AND b = $1", [1, 2], "a = $2 AND b = $1", [1, 2]),
            ("a = :x AND b = :y AND c = :x", {"y": 2, "x": 1}, "a = $1 AND b = $2 AND c = $1", [1, 2]),
            ("SELECT 1", None, "SELECT 1", []),
        ]
        for sql, params, statement, values in cases:
            self.assertEqual(translate(sql, params), (statement, values))

    def test_nothing_is_a_placeholder_where_it_means_something_else(self):
        quoted = [
            "'it''s ? %s :a $1'",
            r"E'it\'s ? :a'",
            '"a "" ? :a"',
            "$$ ? $1 :a $$",
            "$tag$ ? $$ $1 $tag$",
            "-- ? :a\n",
            "/* ? /* $1 */ :a */",
            "x::text",
            "j ?| k",
            "j ?& k",
            "j @? k",
            "a[1:2]",
        ]
        for piece in quoted:
            self.assertEqual(translate(f"SELECT {piece}, ?", [1]), (f"SELECT {piece}, $1", [1]), piece)
            self.assertEqual(translate(f"SELECT {piece}, :b", {"b": 1}), (f"SELECT {piece}, $1", [1]), piece)

    def test_what_cannot_be_meant_is_refused(self):
        cases = [
            ("a = ? AND b = %s", [1, 2]),
            ("a = ?", []),
            ("a = ?", [1, 2]),
            ("a = ?", "x"),
            ("a = ?", {"a": 1}),
            ("a = :x", [1]),
            ("a = :x", {}),
            ("a = :x", {"x": 1, "y": 2}),
            ("a = $2", [1]),
            ("a = 1", [1]),
        ]
        for sql, params in cases:
            with self.assertRaises(ValueError, msg=sql):
                translate(sql, params)

    def test_a_comment_without_an_end_hides_the_rest(self):
        self.assertEqual(translate("SELECT ? /* /* ? */ ?", [1]), ("SELECT $1 /* /* ? */ ?", [1]))

    def test_pieces_in_any_order_keep_what_is_quoted(self):
        pieces = ["?", "'?'", '"?"', "$$?$$", "--?\n", "/*?*/", "::", "a", "?|", "$a$?$a$"]
        for seed in range(2000):
            chosen = random.Random(seed).choices(pieces, k=8)
            wanted, count = [], 0
            for piece in chosen:
                count += piece == "?"
                wanted.append(f"${count}" if piece == "?" else piece)
            self.assertEqual(translate(" ".join(chosen), list(range(count)))[0], " ".join(wanted))
