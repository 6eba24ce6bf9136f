"""Where the shop reads: one class for each way, with the same methods."""

from __future__ import annotations

from typing import Any, Protocol


class Store(Protocol):
    """What the shop needs. Rows are mappings."""

    def product(self, number: int) -> dict[str, Any] | None:
        """Returns a product."""

    def products(self, numbers: list[int]) -> list[dict[str, Any]]:
        """Returns products."""

    def seller(self, number: int) -> dict[str, Any]:
        """Returns a seller."""

    def reviews(self, product: int) -> list[dict[str, Any]]:
        """Returns a product's reviews, the best ones first."""

    def change_price(self, number: int, price: float) -> int:
        """Changes a product's price, and returns the product's version by then."""


def store_of(way: str, redis_port: int, pool: Any) -> Store:
    """Returns the store that reads this way."""
    if way == "no-cache":
        from .no_cache import NoCache

        return NoCache(pool)
    if way == "by-hand":
        from .by_hand import ByHand

        return ByHand(pool, redis_port)
    from .cached import Cached

    return Cached(pool, redis_port, near_cache=10_000 if way == "pgcache-near" else None)
