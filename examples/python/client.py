# Reads rows through the cache with redis-py. Start `make run`, then: python3 examples/python/client.py <port that it printed>
import json
import sys

import redis

cache = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
# A row, or None when PostgreSQL has no such row.
user = cache.execute_command("PGCACHE.READ", "users", json.dumps({"id": 1}))
print(json.loads(user)["name"] if user else "nobody")
# Many rows in one call, None where there is no row.
keys = [{"id": id} for id in (1, 2, 999999)]
print([row and row["name"] for row in json.loads(cache.execute_command("PGCACHE.MULTIREAD", "users", json.dumps(keys)))])
# A pipeline is MULTI unless told otherwise, and in MULTI a row that is not cached is the error PGMISS.
with cache.pipeline(transaction=False) as pipeline:
    for line_no in (1, 2, 3):
        pipeline.execute_command("PGCACHE.READ", "orders", json.dumps({"user_id": 7, "line_no": line_no}))
    print(sum(json.loads(order)["quantity"] for order in pipeline.execute()))
