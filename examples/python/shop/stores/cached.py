"""pgcache: the server loads what is missing, and PostgreSQL tells it what has changed. There is nothing to drop."""

from __future__ import annotations

from typing import Any

import redis
from pgcache import NearCache, PGCache

from .no_cache import NoCache

REVIEWS = "SELECT stars, words FROM reviews WHERE product_id = $1 ORDER BY stars DESC, id LIMIT 10"


class Cached:
    """Asks pgcache."""

    def __init__(self, pool: Any, redis_port: int, near_cache: NearCache | int | None) -> None:
        """Takes a pool of connections for what is changed, and where the server with pgcache listens."""
        self._database = NoCache(pool)
        self._cache = PGCache(redis.Redis(port=redis_port), near_cache=near_cache)
        for table in ("products", "sellers", "reviews"):
            self._cache.watch(table)
        self._cache.define("reviews_of", REVIEWS)

    def product(self, number: int) -> dict[str, Any] | None:
        return self._cache.read("products", id=number)

    def products(self, numbers: list[int]) -> list[dict[str, Any]]:
        return [row for row in self._cache.multiread("products", numbers) if row is not None]

    def seller(self, number: int) -> dict[str, Any]:
        return self._cache.read("sellers", id=number) or {}

    def reviews(self, product: int) -> list[dict[str, Any]]:
        return self._cache.query("reviews_of", product)

    def change_price(self, number: int, price: float) -> int:
        return self._database.change_price(number, price)
