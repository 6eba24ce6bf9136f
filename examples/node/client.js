// Reads rows through the cache with node-redis. Start `make run`, then: node examples/node/client.js <port that it printed>
const { createClient } = require("redis");

async function main() {
    const cache = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
    await cache.connect();
    // A row, or null when PostgreSQL has no such row.
    const user = await cache.sendCommand(["PGCACHE.READ", "users", JSON.stringify({ id: 1 })]);
    console.log(user ? JSON.parse(user).name : "nobody");
    // Many rows in one call, null where there is no row.
    const keys = JSON.stringify([1, 2, 999999].map((id) => ({ id })));
    const users = JSON.parse(await cache.sendCommand(["PGCACHE.MULTIREAD", "users", keys]));
    console.log(users.map((row) => row && row.name));
    await cache.quit();
}

main();
