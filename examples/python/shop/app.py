"""A shop with FastAPI and psycopg: the page of a product, and a change of its price.

SHOP_STORE (no-cache, by-hand, pgcache or pgcache-near), SHOP_REDIS_PORT and SHOP_DATABASE say where it reads:

    SHOP_STORE=pgcache-near SHOP_REDIS_PORT=6379 SHOP_DATABASE="host=127.0.0.1 user=demo dbname=shop" uvicorn app:app
"""

from __future__ import annotations

import os
from typing import Any

from fastapi import FastAPI, HTTPException
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool
from stores import store_of

app = FastAPI()
pool = ConnectionPool(os.environ["SHOP_DATABASE"], kwargs={"row_factory": dict_row}, min_size=4, max_size=8)
store = store_of(os.environ["SHOP_STORE"], int(os.environ["SHOP_REDIS_PORT"]), pool)


@app.get("/products/{number}")
def product_page(number: int) -> dict[str, Any]:
    """Returns a product with its seller, its reviews and eight others that may please."""
    product = store.product(number)
    if product is None:
        raise HTTPException(404)
    others = store.products([(number + step * 7) % 1000 + 1 for step in range(1, 9)])
    return {"product": product, "seller": store.seller(product["seller_id"]), "reviews": store.reviews(number), "others": others}


@app.post("/products/{number}/price/{price}")
def change_price(number: int, price: float) -> dict[str, int]:
    """Changes a price."""
    return {"version": store.change_price(number, price)}
