"""Load on the shop, one store after the other: requests a second, their time, and stale reads.

    PYTHONPATH=../../../clients/python python3 load.py <redis port> <postgres port> [seconds] [--chart file.svg]

Start `make run` first; it prints both ports. Eight clients ask for pages of products by Zipf's law, and change a price in one
request of fifty. A page is stale when it shows a product as it was before a change whose response had come at least 50 ms
before the page was asked for.
"""

from __future__ import annotations

import bisect
import http.client
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time

import psycopg

STORES = {
    "no-cache": "no cache",
    "by-hand": "cache-aside by hand",
    "pgcache": "pgcache",
    "pgcache-near": "pgcache, near cache",
}
PRODUCTS, CLIENTS, CHANGES, HEARD_AFTER = 1000, 8, 50, 0.05
HERE = pathlib.Path(__file__).parent


class Product:
    """The versions of a product, and when the change to each had been answered."""

    def __init__(self) -> None:
        self.lock, self.versions, self.times = threading.Lock(), [0], [0.0]

    def changed(self, version: int) -> None:
        with self.lock:
            self.versions.append(max(version, self.versions[-1]))
            self.times.append(time.monotonic())

    def version_at(self, moment: float) -> int:
        with self.lock:
            return self.versions[bisect.bisect_right(self.times, moment) - 1]


class Client(threading.Thread):
    """Asks for one page after the other."""

    def __init__(self, port: int, products: list[Product], weights: list[float], end: float) -> None:
        super().__init__()
        self.port, self.products, self.weights, self.end = port, products, weights, end
        self.times: list[float] = []
        self.stale = self.pages = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.connect()
        # Without this each request waits for the acknowledgement of the one before.
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while time.monotonic() < self.end:
            number = random.choices(range(PRODUCTS), cum_weights=self.weights)[0]
            if random.randrange(CHANGES) == 0:
                price = random.randrange(100, 9999) / 100
                answer = self.ask(connection, "POST", f"/products/{number + 1}/price/{price}")
                self.products[number].changed(answer["version"])
            else:
                self.read(connection, number)

    def read(self, connection: http.client.HTTPConnection, number: int) -> None:
        began = time.monotonic()
        oldest = self.products[number].version_at(began - HEARD_AFTER)
        shown = self.ask(connection, "GET", f"/products/{number + 1}")["product"]["version"]
        self.times.append(time.monotonic() - began)
        self.pages += 1
        self.stale += shown < oldest

    def ask(self, connection: http.client.HTTPConnection, method: str, path: str) -> dict:
        connection.request(method, path)
        return json.loads(connection.getresponse().read())


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start(store: str, redis_port: int, database: str) -> tuple[subprocess.Popen, int]:
    """Starts the shop, and waits until it answers."""
    port = free_port()
    settings = {**os.environ, "SHOP_STORE": store, "SHOP_REDIS_PORT": str(redis_port), "SHOP_DATABASE": database}
    words = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "warning", "--no-access-log"]
    shop = subprocess.Popen(words, cwd=HERE, env=settings)
    for _ in range(1000):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/products/1")
            assert connection.getresponse().status == 200
            return shop, port
        except OSError:
            assert shop.poll() is None, "the shop did not start"
            time.sleep(0.05)
    raise AssertionError("the shop does not answer")


def measure(store: str, redis_port: int, database: str, seconds: float) -> dict:
    """Has the clients at work on one store, and returns the figures."""
    psycopg.connect(database, autocommit=True).execute((HERE / "schema.sql").read_text())
    shop, port = start(store, redis_port, database)
    try:
        weights = [sum(1 / (rank + 1) for rank in range(number + 1)) for number in range(PRODUCTS)]
        products = [Product() for _ in range(PRODUCTS)]
        end = time.monotonic() + seconds
        clients = [Client(port, products, weights, end) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    finally:
        shop.terminate()
        shop.wait()
    times = sorted(moment for client in clients for moment in client.times)
    return {
        "rate": len(times) / seconds,
        "p50": times[len(times) // 2] * 1000,
        "p99": times[len(times) * 99 // 100] * 1000,
        "pages": len(times),
        "stale": sum(client.stale for client in clients),
    }


def table(figures: dict[str, dict]) -> str:
    """Returns the figures as a table."""
    lines = ["| store | pages/s | p50 | p99 | stale pages |", "|---|---|---|---|---|"]
    for store, one in figures.items():
        times = f"{one['p50']:.1f} ms | {one['p99']:.1f} ms"
        lines.append(f"| {STORES[store]} | {one['rate']:,.0f} | {times} | {one['stale']:,} of {one['pages']:,} |")
    return "\n".join(lines)


def chart(figures: dict[str, dict]) -> str:
    """Returns the rates as bars, in SVG."""
    most = max(one["rate"] for one in figures.values())
    bars = []
    for place, (store, one) in enumerate(figures.items()):
        width, top = 380 * one["rate"] / most, 40 + place * 34
        bars.append(f'<text x="150" y="{top + 16}" text-anchor="end">{STORES[store]}</text>')
        bars.append(
            f'<rect x="160" y="{top}" width="{width:.0f}" height="22" fill="{"#2b6cb0" if "pgcache" in store else "#a0aec0"}"/>'
        )
        bars.append(f'<text x="{166 + width:.0f}" y="{top + 16}">{one["rate"]:,.0f}/s, {one["stale"]} stale</text>')
    height = 50 + len(figures) * 34
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="680" height="{height}" font-family="sans-serif" font-size="13">'
    title = '<rect width="100%" height="100%" fill="white"/><text x="160" y="24" font-weight="bold">pages a second</text>'
    return "\n".join([head, title, *bars, "</svg>", ""])


def main() -> None:
    """Goes through all stores."""
    words = sys.argv[1:]
    picture = words.pop(words.index("--chart") + 1) if "--chart" in words else None
    numbers = [int(word) for word in words if word != "--chart"]
    seconds = numbers[2] if len(numbers) > 2 else 20
    database = os.environ.get("SHOP_DATABASE") or f"host=127.0.0.1 port={numbers[1]} user=demo dbname=shop"
    figures = {store: measure(store, numbers[0], database, seconds) for store in STORES}
    print(table(figures))
    if picture:
        pathlib.Path(picture).write_text(chart(figures))


if __name__ == "__main__":
    main()
