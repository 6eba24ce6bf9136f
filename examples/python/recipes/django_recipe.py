"""Django: a manager that reads objects through the cache.

    class User(models.Model):
        objects = models.Manager()
        cached = CachedManager()

    User.cached.get(pk=1), User.cached.in_bulk([1, 2, 3])

`settings.PGCACHE` is a `PGCache`, or a function that returns one. Watch the tables of such models: then there is nothing to drop.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db import models
from pgcache import PGCache


class CachedManager(models.Manager):
    """Reads by keys, from the cache or through it."""

    def get(self, **lookup: Any) -> models.Model:
        """Returns an object by its primary key (`pk=1`) or a unique key; raises `DoesNotExist`."""
        row = self._cache().read(self.model._meta.db_table, self._columns(lookup))
        if row is None:
            raise self.model.DoesNotExist(f"{self.model._meta.object_name} matching query does not exist.")
        return self._object(row)

    def in_bulk(self, keys: Iterable[Any]) -> dict[Any, models.Model]:
        """Returns the objects that exist, by their primary keys."""
        wanted, primary = list(keys), self.model._meta.pk
        rows = self._cache().multiread(self.model._meta.db_table, wanted, column=primary.column)
        return {key: self._object(row) for key, row in zip(wanted, rows) if row is not None}

    def _cache(self) -> PGCache:
        cache = settings.PGCACHE
        return cache() if callable(cache) else cache

    def _columns(self, lookup: dict[str, Any]) -> dict[str, Any]:
        fields = self.model._meta
        named = {fields.pk if name == "pk" else fields.get_field(name): value for name, value in lookup.items()}
        return {field.column: field.get_prep_value(value) for field, value in named.items()}

    def _object(self, row: dict[str, Any]) -> models.Model:
        fields = [field for field in self.model._meta.concrete_fields if field.column in row]
        values = [field.to_python(row[field.column]) for field in fields]
        return self.model.from_db("default", [field.attname for field in fields], values)
