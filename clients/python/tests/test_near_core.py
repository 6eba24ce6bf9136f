"""The core of the near cache: what is kept, and for how long."""

import unittest

from near_server import Clock, World, heartbeat, message, row_voucher

from pgcache.near.core import MISSING, NearCore, NewEntry
from pgcache.near.limits import NearCache, limits_of
from pgcache.near.messages import read_message


class CoreTest(unittest.TestCase):
    """A near cache that hears the run `r`."""

    def setUp(self):
        self.clock = Clock()
        self.core = NearCore(NearCache(entries=3, bytes=100), self.clock)
        self.connection = self.core.connect("server")
        self.seq = 0
        self.beat()

    def beat(self, age_ms=0):
        self.connection.pong(self.connection.ping(self.clock.now))
        self.seq += 1
        self.core.hear(self.connection, heartbeat(self.seq, age_ms))

    def tell(self, **members):
        self.seq += 1
        self.core.hear(self.connection, message(self.seq, **members))

    def keep(self, key="k", voucher=None, own=(), size=10, began=None, value="value"):
        entry = NewEntry(value, None, voucher or row_voucher(), own, size)
        self.core.take(key, hash(value), began or self.core.begin(), entry)

    def is_kept(self, key="k"):
        return self.core.get(key) is not MISSING


class Keeping(CoreTest):
    """What is kept."""

    def test_an_answer_is_kept_until_its_row_changes(self):
        self.keep()
        self.assertEqual(self.core.get("k"), "value")
        self.tell(table="users", keys=['{"id":2}'])
        self.assertTrue(self.is_kept())
        self.tell(table="users", keys=['{"email":"a"}', '{"id":1}'])
        self.assertFalse(self.is_kept())

    def test_each_message_ends_what_it_names(self):
        for members in ({"table": "users"}, {"all": True}, {"unknown": 1}):
            self.keep()
            self.tell(table="other")
            self.assertTrue(self.is_kept())
            self.tell(**members)
            self.assertFalse(self.is_kept(), members)

    def test_any_change_of_the_table_ends_what_no_key_names(self):
        self.keep(voucher=row_voucher(key=None))
        self.tell(table="users", keys=['{"id":9}'])
        self.assertFalse(self.is_kept())

    def test_what_was_heard_while_it_was_read_ends_an_answer_before_it_is_kept(self):
        began = self.core.begin()
        self.tell(table="users", keys=['{"id":1}'])
        self.keep(began=began)
        self.assertFalse(self.is_kept())
        self.tell(table="users", keys=['{"id":2}'])
        self.keep(began=self.core.begin())
        self.assertTrue(self.is_kept())

    def test_a_read_that_takes_too_long_to_remember_what_was_heard_is_not_kept(self):
        began = self.core.begin()
        for number in range(1001):
            self.tell(table="users", keys=[f'{{"id":{number + 5}}}'])
        self.keep(began=began)
        self.assertFalse(self.is_kept())

    def test_a_read_that_another_overtook_is_not_kept(self):
        slow = self.core.begin()
        self.keep(value="newer")
        self.keep(value="older", began=slow)
        self.assertFalse(self.is_kept(), "a caller has seen the newer one")

    def test_what_is_kept_goes_when_a_read_beside_it_brings_something_else(self):
        slow = self.core.begin()
        self.keep(value="older")
        self.core.take("k", hash("newer"), slow)
        self.assertFalse(self.is_kept(), "a caller has seen the newer one")

    def test_reads_side_by_side_that_bring_the_same_are_kept(self):
        first, second, third = (self.core.begin() for _ in range(3))
        self.keep(began=second)
        self.core.take("k", hash("value"), first)
        self.assertTrue(self.is_kept())
        self.keep(began=third)
        self.assertTrue(self.is_kept())

    def test_of_three_reads_side_by_side_none_brings_back_what_another_overtook(self):
        first, second, third = (self.core.begin() for _ in range(3))
        self.core.take("k", hash("newer"), first)
        self.keep(value="older", began=second)
        self.keep(value="older", began=third)
        self.assertFalse(self.is_kept())

    def test_a_read_beside_a_thousand_others_is_not_kept(self):
        slow = self.core.begin()
        for number in range(1001):
            self.core.take(number, number, self.core.begin())
        self.keep(began=slow)
        self.assertFalse(self.is_kept())

    def test_what_nobody_vouches_for_is_not_kept(self):
        self.core.take("k", hash("value"), self.core.begin())
        self.keep(voucher=row_voucher(run="another"))
        self.keep(voucher=row_voucher(source="unheard"))
        self.assertFalse(self.is_kept())

    def test_the_least_recently_used_goes_first(self):
        for key in "abc":
            self.keep(key)
        self.assertTrue(self.is_kept("a"))
        self.keep("d")
        self.assertEqual([key for key in "abcd" if self.is_kept(key)], ["a", "c", "d"])
        self.keep("e", size=90)
        self.assertEqual((self.core.stats()["entries"], self.core.stats()["evictions"]), (2, 3))
        self.keep("f", size=101)
        self.assertFalse(self.is_kept("f"))

    def test_limits_are_entries_or_both(self):
        self.assertEqual(limits_of(5), NearCache(entries=5))
        self.assertIsNone(limits_of(None))
        self.assertEqual(limits_of(NearCache(bytes=1)).bytes, 1)
        for wrong in ({"entries": 0}, {"bytes": 0}):
            with self.assertRaises(ValueError):
                NearCache(**wrong)


class Serving(CoreTest):
    """Until when answers are served."""

    def test_an_answer_is_served_while_heartbeats_vouch_for_it(self):
        self.keep()
        self.clock.now += 1.9
        self.assertTrue(self.is_kept())
        self.clock.now += 0.2
        self.beat(age_ms=500)
        self.assertTrue(self.is_kept(), "nothing was missed, and nobody has asked meanwhile")
        self.clock.now += 1.6
        self.assertFalse(self.is_kept(), "the server itself was behind")

    def test_whoever_has_asked_the_server_does_not_find_an_older_answer_again(self):
        self.keep()
        self.clock.now += 2.1
        self.assertFalse(self.is_kept())
        self.beat()
        self.assertFalse(self.is_kept(), "the server may have answered something newer")
        self.keep()
        self.core.pass_by("k")
        self.assertFalse(self.is_kept())

    def test_a_heartbeat_vouches_from_the_last_ping_that_has_come_back(self):
        self.keep()
        self.clock.now += 1.5
        self.seq += 1
        self.core.hear(self.connection, heartbeat(self.seq))
        self.clock.now += 1.0
        self.assertFalse(self.is_kept(), "it may have been on its way for long")

    def test_a_suspect_source_vouches_for_nothing(self):
        self.keep()
        self.keep("alone", row_voucher(source=None))
        for _ in range(3):
            self.clock.now += 1
            self.beat(age_ms=None)
        self.assertFalse(self.is_kept())
        self.assertTrue(self.is_kept("alone"), "nobody tells of it in any case")

    def test_an_answer_ends_with_its_life(self):
        self.keep(voucher=row_voucher(ttl_ms=100))
        self.clock.now += 0.09
        self.assertTrue(self.is_kept())
        self.clock.now += 0.02
        self.assertFalse(self.is_kept())

    def test_a_lost_message_empties_it(self):
        self.keep()
        self.seq += 1
        self.tell(table="other")
        self.assertFalse(self.is_kept())
        self.keep()
        self.assertFalse(self.is_kept(), "until the next heartbeat")
        self.beat()
        self.keep()
        self.assertTrue(self.is_kept())
        self.assertEqual(self.core.stats()["resets"], 1)

    def test_a_lost_connection_empties_it(self):
        self.keep()
        began = self.core.begin()
        self.core.lose(self.connection, "closed")
        self.assertFalse(self.is_kept())
        self.assertEqual((self.core.stats()["live"], self.core.stats()["reason"]), (False, "closed"))
        self.connection = self.core.connect("server")
        self.beat()
        self.keep(began=began)
        self.assertFalse(self.is_kept(), "it was read before")
        self.assertTrue(self.core.stats()["live"])

    def test_a_connection_that_was_replaced_is_not_lost_twice(self):
        old = self.connection
        self.connection = self.core.connect("server")
        self.core.lose(old, "late")
        self.assertEqual(self.core.connected(), ["server"])
        self.assertTrue(self.core.is_heard([]) and not self.core.is_heard(["server", "another"]))

    def test_what_is_no_message_is_refused(self):
        for text in ("", "[]", "{}", '{"run":"r"}', '{"run":"r","seq":1,"sources":[]}', '{"run":"r","seq":2,"keys":[]}'):
            with self.assertRaises(ValueError):
                self.core.hear(self.connection, text)
        self.assertEqual(read_message(b'{"run":"r","seq":1,"tag":"t","new":1}').ends, {("tag", "t")})


class OwnChanges(CoreTest):
    """What the process itself has changed."""

    def test_they_end_a_row_under_every_spelling(self):
        self.keep("one", own=(("as", "users", '{"id":1}'), ("table as", "users")))
        self.keep("other", own=(("as", "public.users", '{"id":"1"}'), ("table as", "public.users")))
        self.core.forget([("as", "public.users", '{"id":"1"}')])
        self.assertFalse(self.is_kept("one") or self.is_kept("other"))
        self.keep("one", own=(("as", "users", '{"id":1}'), ("table as", "users")))
        self.keep("other", own=(("as", "public.users", '{"id":"1"}'), ("table as", "public.users")))
        self.core.forget([("table as", "public.users")])
        self.assertFalse(self.is_kept("one") or self.is_kept("other"))

    def test_a_read_under_way_is_not_kept(self):
        own = (("as", "users", '{"id":1}'),)
        began = self.core.begin()
        self.core.forget(own)
        self.keep(own=own, began=began)
        self.assertFalse(self.is_kept())


class Worlds(unittest.TestCase):
    """Everything in any order."""

    def test_no_answer_is_older_than_the_bound_and_none_stays_when_all_is_told(self):
        hits = 0
        for seed in range(300):
            with self.subTest(seed=seed):
                world = World(seed)
                for _ in range(400):
                    world.step()
                world.come_to_rest()
                hits += world.hits
        self.assertGreater(hits, 1000)
