"""The recipes, with clients that send nothing; scripts/python.sh runs this."""

import unittest
from datetime import datetime, timezone
from decimal import Decimal

import django
from django.conf import settings
from fakes import Client
from pgcache import PGCache

settings.configure(INSTALLED_APPS=[], USE_TZ=True, PGCACHE=lambda: Recipes.cache)
django.setup()

import sqlalchemy  # noqa: E402
from django.db import models  # noqa: E402
from django_recipe import CachedManager  # noqa: E402
from sqlalchemy.orm import declarative_base, sessionmaker  # noqa: E402
from sqlalchemy_recipe import invalidate_after_commit, read  # noqa: E402

ROW = '{"id":1,"name":"Ada","balance":1.50,"created_at":"2024-01-02T03:04:05.5+00:00"}'


class Person(models.Model):
    """A model of Django's."""

    name = models.TextField()
    balance = models.DecimalField(max_digits=9, decimal_places=2)
    created_at = models.DateTimeField()
    objects = models.Manager()
    cached = CachedManager()

    class Meta:
        """Where it stands."""

        app_label, db_table = "shop", "people"


class User(declarative_base()):
    """A class that SQLAlchemy maps."""

    __tablename__ = "users"
    id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
    called = sqlalchemy.Column("name", sqlalchemy.Text)


class Recipes(unittest.TestCase):
    """Both."""

    cache = None

    def answering(self, *replies):
        client = Client(*replies)
        Recipes.cache = PGCache(client)
        return client

    def test_django_reads_objects_by_their_keys(self):
        client = self.answering(ROW, "[" + ROW + ",null]", None)
        person = Person.cached.get(pk=1)
        self.assertEqual((person.name, person.balance, person.created_at.microsecond), ("Ada", Decimal("1.50"), 500000))
        self.assertEqual(person.created_at, datetime(2024, 1, 2, 3, 4, 5, 500000, timezone.utc))
        self.assertFalse(person._state.adding)
        self.assertEqual(list(Person.cached.in_bulk([1, 2])), [1])
        with self.assertRaises(Person.DoesNotExist):
            Person.cached.get(name="nobody")
        asked = [("PGCACHE.READ", "people", '{"id":1}'), ("PGCACHE.MULTIREAD", "people", '[{"id":1},{"id":2}]')]
        self.assertEqual(client.asked, [*asked, ("PGCACHE.READ", "people", '{"name":"nobody"}')])

    def test_sqlalchemy_reads_objects_and_drops_what_a_session_has_changed(self):
        client = self.answering(ROW, None, *["OK"] * 9)
        user = read(self.cache, User, id=1)
        self.assertEqual((user.id, user.called), (1, "Ada"))
        self.assertIsNone(read(self.cache, User, id=2))
        engine = sqlalchemy.create_engine("sqlite://")
        User.metadata.create_all(engine)
        sessions = sessionmaker(engine)
        invalidate_after_commit(sessions.class_, self.cache)
        client.asked.clear()
        with sessions() as session:
            session.add(user)
            session.flush()
            self.assertEqual(client.asked, [], "it is not committed")
            session.rollback()
            session.commit()
            self.assertEqual(client.asked, [])
            session.add(User(id=7, called="Grace"))
            session.commit()
            session.get(User, 7).called = "Hopper"
            session.commit()
            session.delete(session.get(User, 7))
            session.commit()
        self.assertEqual(client.asked, [("PGCACHE.INVALIDATE", "users", '{"id":7}')] * 3)
