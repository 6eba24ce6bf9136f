"""Maps in RESP2 and RESP3."""

import unittest

from pgcache.maps import to_map, to_maps

RESP2 = [
    b"hit_ratio", b"0.5", b"cached", 1, b"pooler", None, b"reasons", [b"one", b"two"],
    b"sources", [b"default", [b"gaps", [b"overflow", 0], b"superuser", 0]], b"keys", [[b"key", b"{}", b"share", b"1"]],
]  # fmt: skip
RESP3 = {
    "hit_ratio": 0.5, "cached": True, "pooler": None, "reasons": ["one", "two"],
    "sources": {"default": {"gaps": {"overflow": 0}, "superuser": False}}, "keys": [{"key": "{}", "share": 1.0}],
}  # fmt: skip


class TestMaps(unittest.TestCase):
    """`to_map`."""

    def test_both_protocols_come_to_the_same(self):
        self.assertEqual(to_map(RESP2), RESP3)
        self.assertEqual(to_map(RESP3), RESP3)

    def test_truth_and_fractions_have_their_types(self):
        found = to_map(RESP2)
        self.assertIs(found["cached"], True)
        self.assertIsInstance(found["keys"][0]["share"], float)

    def test_lists_of_maps(self):
        self.assertEqual(to_maps([[b"name", b"top", b"tags", []]]), [{"name": "top", "tags": []}])


if __name__ == "__main__":
    unittest.main()
