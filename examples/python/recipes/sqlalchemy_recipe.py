"""SQLAlchemy: objects read through the cache, and rows that a session has changed dropped from it after COMMIT.

A watched table needs no `invalidate_after_commit`: PostgreSQL tells of its changes, also of those that others make. It is for
tables that nobody watches, and for whoever reads his own change at once.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pgcache import PGCache
from sqlalchemy import event, inspect
from sqlalchemy.orm import Session

T = TypeVar("T")


def read(cache: PGCache, model: type[T], **columns: Any) -> T | None:
    """Returns an object of a mapped class by its row in the cache, or `None`. It belongs to no session: `merge` adds it to one."""
    row = cache.read(model.__table__.fullname, columns)  # type: ignore[attr-defined]
    if row is None:
        return None
    attributes = {column.name: name for name, column in inspect(model).columns.items()}
    return model(**{attributes[name]: value for name, value in row.items() if name in attributes})


def invalidate_after_commit(session_class: type[Session], cache: PGCache) -> None:
    """Has sessions drop what they have changed, once their transaction has committed."""

    @event.listens_for(session_class, "after_flush")
    def remember(session: Session, _: Any) -> None:
        changed = session.info.setdefault("pgcache", set())
        for instance in {*session.new, *session.dirty, *session.deleted}:
            changed.add(_named(instance))

    @event.listens_for(session_class, "after_commit")
    def drop(session: Session) -> None:
        for table, key in session.info.pop("pgcache", ()):
            cache.invalidate(table, dict(key))

    @event.listens_for(session_class, "after_rollback")
    def forget(session: Session) -> None:
        session.info.pop("pgcache", None)


def _named(instance: Any) -> tuple[str, tuple[tuple[str, Any], ...]]:
    mapper = inspect(instance).mapper
    key = tuple((column.name, value) for column, value in zip(mapper.primary_key, mapper.primary_key_from_instance(instance)))
    return mapper.local_table.fullname, key
