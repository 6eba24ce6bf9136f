"""Without a cache: PostgreSQL is asked each time."""

from __future__ import annotations

from typing import Any

REVIEWS = "SELECT stars, words FROM reviews WHERE product_id = %s ORDER BY stars DESC, id LIMIT 10"


class NoCache:
    """Asks PostgreSQL."""

    def __init__(self, pool: Any) -> None:
        """Takes a pool of connections whose rows are mappings."""
        self._pool = pool

    def product(self, number: int) -> dict[str, Any] | None:
        return self.ask("SELECT * FROM products WHERE id = %s", number)[0]

    def products(self, numbers: list[int]) -> list[dict[str, Any]]:
        return self.ask("SELECT * FROM products WHERE id = ANY (%s)", numbers)

    def seller(self, number: int) -> dict[str, Any]:
        return self.ask("SELECT * FROM sellers WHERE id = %s", number)[0]

    def reviews(self, product: int) -> list[dict[str, Any]]:
        return self.ask(REVIEWS, product)

    def change_price(self, number: int, price: float) -> int:
        changed = self.ask("UPDATE products SET price = %s, version = version + 1 WHERE id = %s RETURNING version", price, number)
        return changed[0]["version"]

    def ask(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        """Runs a statement in a transaction of its own, and returns its rows."""
        with self._pool.connection() as connection:
            return connection.execute(sql, params).fetchall()
