# Near hits against GET and against hits of the server, through the same client in turns: prints the times of each and the ratio.
#
#   PYTHONPATH=clients/python python3 benches/near/hits.py <port of `make run`> [rounds]
import statistics
import sys
import time

import redis
from pgcache import PGCache


def per_call(call, calls):
    """Returns how long a call takes, in microseconds."""
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - began) / calls * 1e6


def main(port, rounds):
    """Measures in turns."""
    client = redis.Redis(port=port)
    with PGCache(client, near_cache=10_000) as cache:
        cache.watch("users")
        while cache.near_stats()["entries"] == 0:
            cache.read("users", id=1)
            time.sleep(0.01)
        key = cache.key("users", id=1)
        sides = {
            "near hit": lambda: per_call(lambda: cache.read("users", id=1), 20_000),
            "hit of the server": lambda: per_call(lambda: cache.read("users", id=1, near=False), 500),
            "GET": lambda: per_call(lambda: client.get(key), 500),
        }
        figures = {name: [] for name in sides}
        for _ in range(rounds):
            for name, measure in sides.items():
                figures[name].append(measure())
        for name, times in figures.items():
            print(f"{name}: {statistics.median(times):.2f} µs")
        ratios = sorted(get / near for get, near in zip(figures["GET"], figures["near hit"]))
        print(
            f"a near hit is {statistics.median(ratios):.1f} times as fast as GET "
            f"(quartiles {ratios[rounds // 4]:.1f} and {ratios[-1 - rounds // 4]:.1f})"
        )
        print(f"{cache.near_stats()}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20)
