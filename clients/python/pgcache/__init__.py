"""Reads rows and queries of PostgreSQL through the Redis and Valkey module pgcache."""

from .aio import AsyncPGCache
from .async_event_stream import AsyncEventStream
from .client import PGCache
from .errors import (
    PGBadArgument,
    PGBadValue,
    PGBusy,
    PGCacheError,
    PGDown,
    PGMiss,
    PGNoColumn,
    PGNoPermission,
    PGNoTable,
    PGNotUnique,
    PGReadOnly,
    PGRefused,
    PGTimeout,
    PGTryAgain,
    PGUnblocked,
)
from .event_stream import EventStream
from .events import Event
from .manager import PGCacheManager
from .module import load_pgcache_module
from .near import NearCache
from .pipeline import AsyncPipeline, Pipeline
from .rows import decode_json

__all__ = [
    "AsyncEventStream",
    "AsyncPGCache",
    "AsyncPipeline",
    "NearCache",
    "Event",
    "EventStream",
    "PGBadArgument",
    "PGBadValue",
    "PGBusy",
    "PGCache",
    "PGCacheError",
    "PGCacheManager",
    "PGDown",
    "PGMiss",
    "PGNoColumn",
    "PGNoPermission",
    "PGNoTable",
    "PGNotUnique",
    "PGReadOnly",
    "PGRefused",
    "PGTimeout",
    "PGTryAgain",
    "PGUnblocked",
    "Pipeline",
    "decode_json",
    "load_pgcache_module",
]
