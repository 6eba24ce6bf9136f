"""Errors of pgcache: one class for each code."""

from __future__ import annotations

import re
from typing import Any


class PGCacheError(Exception):
    """What every error of pgcache is.

    `code` is the error's first word, `table` the table that the command was about (`None` where it was about none). `retryable`
    says that the same command may succeed a moment later. In an error of `multiread`, `index` says which of the keys is meant.
    """

    code = "ERR"
    retryable = False

    def __init__(self, message: str, table: str | None = None, index: int | None = None) -> None:
        """Takes what the server said without the code, and what it was about."""
        super().__init__(message)
        self.message, self.table, self.index = message, table, index

    def __reduce__(self) -> tuple[Any, ...]:
        """Lets a worker process hand the error to its parent."""
        return type(self), (self.message, self.table, self.index)

    def __str__(self) -> str:
        """Returns the error as the server says it."""
        return f"{self.code} {self.message}"


class PGBadArgument(PGCacheError):
    """An argument is malformed, or there is no query of that name: correct the call."""


class PGNoPermission(PGCacheError):
    """The user's ACL, `allow_tables` or `query` does not allow it."""

    code = "NOPERM"


class PGNoTable(PGCacheError):
    """There is no such relation or source."""

    code = "PGNOTABLE"


class PGNoColumn(PGCacheError):
    """The table has no such column."""

    code = "PGNOCOLUMN"


class PGNotUnique(PGCacheError):
    """The lookup key matches more than one row."""

    code = "PGNOTUNIQUE"


class PGBadValue(PGCacheError):
    """The column's type cannot hold the value."""

    code = "PGBADVALUE"


class PGRefused(PGCacheError):
    """PostgreSQL refuses for any other reason."""

    code = "PGERR"

    @property
    def sqlstate(self) -> str:
        """The reason, as PostgreSQL's manual lists them."""
        return self.message.split(" ", 1)[0]


class PGDown(PGCacheError):
    """There is no connection to the source."""

    code = "PGDOWN"
    retryable = True


class PGTimeout(PGCacheError):
    """PostgreSQL, or a barrier, took too long."""

    code = "PGTIMEOUT"
    retryable = True


class PGBusy(PGCacheError):
    """Too many wait already."""

    code = "PGBUSY"
    retryable = True


class PGMiss(PGCacheError):
    """The row is not cached, and nothing can wait in MULTI, a script or a function."""

    code = "PGMISS"


class PGReadOnly(PGCacheError):
    """The server is a replica: ask its master."""

    code = "READONLY"


class PGUnblocked(PGCacheError):
    """The server became a replica while the command waited."""

    code = "UNBLOCKED"
    retryable = True


class PGTryAgain(PGCacheError):
    """The row's slot is being moved to another node of the cluster."""

    code = "TRYAGAIN"
    retryable = True


_CLASSES: dict[str, type[PGCacheError]] = {kind.code: kind for kind in PGCacheError.__subclasses__()}
# Clients take the code away from some errors, and name a class of their own instead.
_CLIENT_CLASSES = {"NoPermissionError": "NOPERM", "ReadOnlyError": "READONLY", "TryAgainError": "TRYAGAIN"}
# What the server refuses before pgcache is asked: the client's own error says it.
_SERVER_CODES = ("BUSY", "CLUSTERDOWN", "EXECABORT", "LOADING", "MASTERDOWN", "MISCONF", "NOAUTH", "NOREPLICAS", "OOM")
_INDEX = re.compile(r"(?<=lookup key at index )\d+")


def to_pgcache_error(error: BaseException, table: str | None = None) -> PGCacheError | None:
    """Returns the error of pgcache that a client's error carries, or `None` where it is of the client or the server."""
    names = [kind.__name__ for kind in type(error).__mro__]
    if "ResponseError" not in names:
        return None
    text = str(error)
    first, _, rest = text.partition(" ")
    code = next((_CLIENT_CLASSES[name] for name in names if name in _CLIENT_CLASSES), None)
    if code is None and names[0] != "ResponseError" or first in _SERVER_CODES:
        return None
    if first in _CLASSES:
        code, text = first, rest
    found = _INDEX.search(text)
    return _CLASSES[code or "ERR"](text, table, int(found[0]) if found else None)


def at_index(error: PGCacheError, index: int) -> PGCacheError:
    """Returns an error of one key of many with the key's place among the caller's own keys."""
    return type(error)(_INDEX.sub(str(index), error.message), error.table, index)
