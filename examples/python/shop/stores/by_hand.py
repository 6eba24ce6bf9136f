"""Cache-aside by hand: GET, on a miss SELECT, then SET with a time to live; DEL after a change. As many applications have it."""

from __future__ import annotations

import json
from typing import Any, Callable

import redis

from .no_cache import NoCache

TTL = 300


class ByHand:
    """Asks Redis, and PostgreSQL for what is missing there."""

    def __init__(self, pool: Any, redis_port: int) -> None:
        """Takes a pool of connections, and where Redis listens."""
        self._database, self._redis = NoCache(pool), redis.Redis(port=redis_port)

    def product(self, number: int) -> dict[str, Any] | None:
        return self._cached(f"shop:product:{number}", lambda: self._database.product(number))

    def products(self, numbers: list[int]) -> list[dict[str, Any]]:
        keys = [f"shop:product:{number}" for number in numbers]
        found = dict(zip(numbers, self._redis.mget(keys)))
        rows = {number: json.loads(text) for number, text in found.items() if text is not None}
        for row in self._database.products([number for number in numbers if number not in rows]):
            self._redis.set(f"shop:product:{row['id']}", json.dumps(row, default=str), ex=TTL)
            rows[row["id"]] = row
        return [rows[number] for number in numbers]

    def seller(self, number: int) -> dict[str, Any]:
        return self._cached(f"shop:seller:{number}", lambda: self._database.seller(number))

    def reviews(self, product: int) -> list[dict[str, Any]]:
        return self._cached(f"shop:reviews:{product}", lambda: self._database.reviews(product))

    def change_price(self, number: int, price: float) -> int:
        version = self._database.change_price(number, price)
        self._redis.delete(f"shop:product:{number}")
        return version

    def _cached(self, key: str, load: Callable[[], Any]) -> Any:
        text = self._redis.get(key)
        if text is not None:
            return json.loads(text)
        row = load()
        self._redis.set(key, json.dumps(row, default=str), ex=TTL)
        return row
