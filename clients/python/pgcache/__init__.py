"""Reads rows and queries of PostgreSQL through the Redis and Valkey module pgcache."""

from .aio import AsyncPGCache
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
from .near import NearCache
from .pipeline import AsyncPipeline, Pipeline
from .rows import decode_json

__all__ = [
    "AsyncPGCache",
    "AsyncPipeline",
    "NearCache",
    "PGBadArgument",
    "PGBadValue",
    "PGBusy",
    "PGCache",
    "PGCacheError",
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
]
