// Every method against real servers; see tests/node_client.rs.
//
//     node end_to_end.js redis|ioredis server|cluster <port>
//
// It says `do …` when it wants something done, and goes on when it reads a line: `do sql <statement>`, `do kill`, `do freeze`, `do thaw`, `do move`.
import assert from 'node:assert';
import { createInterface } from 'node:readline';

import Redis from 'ioredis';
import { PGBadValue, PGCache, PGNoTable, PGRefused } from 'pgcache';
import * as nodeRedis from 'redis';

const [library, place, port] = process.argv.slice(2);
const isCluster = place === 'cluster';
const PATIENCE = 30_000;
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function connect() {
    const url = `redis://127.0.0.1:${port}`;
    if (library === 'ioredis') {
        const client = isCluster ? new Redis.Cluster([{ host: '127.0.0.1', port }]) : new Redis(port);
        await new Promise((resolve) => client.once('ready', resolve));
        return client;
    }
    const client = isCluster ? nodeRedis.createCluster({ rootNodes: [{ url }] }) : nodeRedis.createClient({ url });
    client.on('error', () => {});
    await client.connect();
    return client;
}

async function ask(what) {
    console.log('do', what);
    await lines.next();
}

const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

async function eventually(what, isSo) {
    const end = performance.now() + PATIENCE;
    while (!(await isSo())) {
        assert(performance.now() < end, `${what}: ${JSON.stringify(near.nearStats())}`);
        await pause();
    }
}

const cache = new PGCache(await connect());
const near = new PGCache(await connect(), { nearCache: 1000 });
const rename = (name) => ask(`sql UPDATE users SET name = '${name}' WHERE id = 1`);

async function rows() {
    assert.deepStrictEqual(await cache.read('users', { id: 2 }), { id: 2, email: 'user2@example.com', name: 'User 2' });
    assert.strictEqual(await cache.read('users', { id: 9999 }), null);
    const ids = [...Array(20).keys()].map((index) => index + 1);
    const many = await cache.multiread('users', [...ids, 9999, { email: 'user3@example.com' }]);
    assert.deepStrictEqual(
        many.map((row) => row && row.id),
        [...ids, null, 3],
    );
    await cache.write('users', { id: 7 }, { id: 7, name: 'written' }, { ttl: 100 });
    assert.strictEqual((await cache.read('users', { id: 7 })).name, 'written');
    assert.strictEqual((await cache.inspect('users', { id: 7 })).cached, true);
    await cache.invalidate('users', { id: 7 });
    assert.strictEqual((await cache.read('users', { id: 7 })).name, 'User 7');
    assert((await cache.key('users', { id: 7 })).endsWith(':{"id":7}'));
    assert.deepStrictEqual(await cache.read('numbers', { big: 12345678901234567890n }), { big: 12345678901234567890n, exact: '0.12345678901234567890' });
    const results = await cache.pipeline().read('users', { id: 1 }).read('users', { id: 2 }).invalidate('users', { id: 3 }).execute();
    assert.deepStrictEqual([results[0].id, results[1].id, results[2]], [1, 2, undefined]);
}

async function refusals() {
    await assert.rejects(cache.read('nothing', { id: 1 }), (error) => error instanceof PGNoTable && error.table === 'nothing');
    await assert.rejects(cache.read('users', { id: 'abc' }), PGBadValue);
    await assert.rejects(cache.multiread('users', [1, 'abc']), (error) => error instanceof PGBadValue && error.index === 1);
    await cache.define('wrong', 'SELECT 1 / 0 AS n');
    await assert.rejects(cache.query('wrong'), (error) => error instanceof PGRefused && error.sqlstate === '22012');
    await cache.undefine('wrong');
}

async function administration() {
    await cache.watch('users');
    assert((await cache.watched()).some(({ table }) => String(table).endsWith('users')));
    assert.match(await cache.watchSql('users'), /TRIGGER/);
    await cache.define('some', 'SELECT id, name FROM users WHERE id = $1', { ttl: 60, tags: ['t'] });
    assert((await cache.definitions()).some(({ name }) => name === 'some'));
    assert.strictEqual((await cache.query('some', [2]))[0].name, 'User 2');
    assert.strictEqual((await cache.inspectQuery('some', [2])).tracked, true);
    assert.strictEqual(await cache.flush({ tag: 't' }), 1);
    assert((await cache.barrier(10_000)) >= 0);
    const [health, stats] = [await cache.health(), await cache.stats()];
    const one = isCluster ? Object.values(health)[0] : health;
    assert(Object.keys(one).includes('near_channel') && Object.keys(isCluster ? Object.values(stats)[0] : stats).includes('hits'));
    await cache.resetStats();
}

async function events() {
    const end = new AbortController();
    const heard = [];
    const reading = (async () => {
        for await (const event of cache.events({ types: ['cache_invalidate'], signal: end.signal })) heard.push(event);
    })();
    await eventually('an event comes', async () => {
        await cache.invalidate('users', { id: 5 });
        return heard.length > 0;
    });
    assert.deepStrictEqual([heard[0].table, heard[0].key], ['users', { id: 5 }]);
    end.abort();
    await reading;
}

const hits = async (read) => {
    const before = near.nearStats().hits;
    await read();
    return near.nearStats().hits - before;
};
const keep = (what, read) => eventually(`${what} is kept`, async () => (await hits(read)) === 1);
const nameOf1 = async () => (await near.read('users', { id: 1 })).name;

async function changes() {
    const reads = [
        () => near.read('users', { id: 1 }),
        () => near.read('public.users', { id: isCluster ? 1 : '1' }),
        () => near.read('users', { email: 'user1@example.com' }),
        () => near.multiread('users', [1]),
        () => near.query('some', [1]),
    ];
    for (const [number, read] of reads.entries()) {
        await keep(`read ${number}`, read);
        await rename(`name ${number}`);
        await eventually(`read ${number} is new`, async () => JSON.stringify(await read()).includes(`name ${number}`));
    }
    const absent = () => near.read('users', { id: 5000 });
    await keep('that there is none', absent);
    await ask("sql INSERT INTO users (id, email, name) VALUES (5000, 'new', 'new')");
    await eventually('the row is read', async () => (await absent()) !== null);
    await keep('row 1', reads[0]);
    await cache.flush({ all: true });
    await eventually('it is forgotten', async () => (await hits(reads[0])) === 0);
}

async function losses() {
    for (const [trouble, end] of [['kill'], ['freeze', 'thaw']]) {
        await keep('row 1', nameOf1);
        await ask(trouble);
        await rename(`after ${trouble}`);
        if (end) await eventually('it is not live', () => !near.nearStats().live);
        if (end) await ask(end);
        await eventually('the new name is read', async () => (await nameOf1()) === `after ${trouble}`);
        await keep('row 1', nameOf1);
    }
}

async function moves() {
    await keep('row 1', nameOf1);
    await ask('move');
    for (const name of ['moved', 'moved again']) {
        await rename(name);
        await eventually('the new name is read', async () => (await nameOf1()) === name);
        await keep('row 1', nameOf1);
    }
}

for (const part of [rows, refusals, administration, events, changes, isCluster ? moves : losses]) await part();
near.close();
console.log('done', library, place);
process.exit(0);
