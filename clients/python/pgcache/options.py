"""Options: the words behind a command's other arguments."""

from __future__ import annotations

from collections.abc import Sequence

Words = tuple[str, ...]


def lifetime(ttl: int | None) -> Words:
    """Returns the time to live of a row, in seconds."""
    return () if ttl is None else (str(ttl),)


def position(minlsn: str | None) -> Words:
    """Returns the position in PostgreSQL's write-ahead log that the answer must have reached."""
    return () if minlsn is None else ("MINLSN", minlsn)


def of_query(ttl: int | None = None, tags: Sequence[str] = (), source: str | None = None) -> Words:
    """Returns the options of a query or of its definition."""
    if isinstance(tags, str):
        raise TypeError(f"tags are a sequence of strings, such as [{tags!r}]")
    words: Words = ("TTL", str(ttl)) if ttl is not None else ()
    if tags:
        words += ("TAGS", str(len(tags)), *tags)
    return words + (("SOURCE", source) if source is not None else ())
