// The near cache: what is kept, and until when.
import assert from 'node:assert';
import test from 'node:test';

import { PGCache, PGDown } from 'pgcache';

import { contentOf } from '../dist/esm/near/answers.js';
import { MISSING, NearCore } from '../dist/esm/near/core.js';
import { readVoucher } from '../dist/esm/near/vouchers.js';
import { Client, Cluster, heartbeat, message, vouched } from './fakes.js';

const ROW = '{"id":1,"name":"Ada"}';
const until = async (isSo) => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
};

/** A core that hears the run `r`, by a clock that the test sets. */
function hearing(limits = { entries: 3, bytes: 100 }) {
    const at = { now: 1000, seq: 1 };
    const core = new NearCore(limits, () => at.now);
    const connection = core.connect('server');
    const beat = (age) => {
        connection.pong(at.now);
        core.hear(connection, heartbeat(at.seq++, age));
    };
    const tell = (members) => core.hear(connection, message(at.seq++, members));
    const keep = (key = 'k', { voucher = vouched(), own = [], size = 10, began = core.begin(), value = 'value' } = {}) =>
        core.take(key, value, began, { make: () => value, voucher: readVoucher(voucher), own, size });
    beat(0);
    return { core, connection, at, beat, tell, keep, isKept: (key = 'k') => core.get(key) !== MISSING };
}

test('each message ends what it names', () => {
    const { keep, tell, isKept } = hearing();
    for (const members of [{ table: 'users', keys: ['{"id":1}'] }, { table: 'users' }, { all: true }, { unknown: 1 }]) {
        keep();
        tell({ table: 'users', keys: ['{"id":2}'] });
        tell({ table: 'other' });
        assert(isKept());
        tell(members);
        assert(!isKept(), JSON.stringify(members));
    }
    const query = { query: 'top', tables: ['users'], tags: ['t'], table: undefined, key: undefined };
    for (const members of [{ tag: 't' }, { query: 'top' }, { table: 'users', keys: [] }, { table: 'users' }]) {
        keep('q', { voucher: vouched(undefined, query) });
        tell({ tag: 'other' });
        assert(isKept('q'));
        tell(members);
        assert(!isKept('q'), JSON.stringify(members));
    }
});

test('what was heard while it was read ends an answer before it is kept', () => {
    const { core, keep, tell, isKept } = hearing();
    const began = core.begin();
    tell({ table: 'users', keys: ['{"id":1}'] });
    keep('k', { began });
    assert(!isKept());
    const long = core.begin();
    for (let id = 0; id <= 1000; id++) tell({ table: 'users', keys: [`{"id":${id + 5}}`] });
    keep('k', { began: long });
    assert(!isKept(), 'nobody remembers all that was heard');
});

test('reads side by side undo nothing that somebody has seen', () => {
    const { core, keep, isKept } = hearing();
    const [first, second, third] = [core.begin(), core.begin(), core.begin()];
    core.take('k', 'newer', first);
    keep('k', { value: 'older', began: second });
    keep('k', { value: 'older', began: third });
    assert(!isKept(), 'two that were overtaken');
    const slow = core.begin();
    keep('k', { value: 'older' });
    assert(isKept());
    core.take('k', 'newer', slow);
    assert(!isKept(), 'a caller has seen the newer one');
    const [one, other] = [core.begin(), core.begin()];
    keep('k', { began: one });
    core.take('k', 'value', other);
    assert(isKept(), 'both were the same');
    core.take('k', undefined, other);
    assert(!isKept(), 'nobody knows whether that was');
    const long = core.begin();
    for (let id = 0; id <= 1000; id++) core.take(String(id), 'value', core.begin());
    keep('k', { began: long });
    assert(!isKept(), 'nobody remembers all answers');
    assert.equal(contentOf(null), contentOf('null'));
    assert.equal(contentOf('x'.repeat(5000)), undefined);
});

test('an answer is served while heartbeats vouch for it', () => {
    const { at, keep, beat, isKept, core, connection } = hearing();
    keep();
    keep('alone', { voucher: vouched(undefined, { source: null }) });
    at.now += 1900;
    assert(isKept());
    at.now += 200;
    beat(500);
    assert(isKept(), 'nothing was missed, and nobody has asked meanwhile');
    at.now += 1600;
    assert(!isKept(), 'the server itself was behind');
    at.now += 500;
    core.hear(connection, heartbeat(at.seq++));
    assert(!isKept(), 'no newer ping has come back');
    beat(null);
    assert(!isKept() && isKept('alone'), 'the source is suspect');
});

test('whoever has asked the server does not find an older answer again', () => {
    const { at, keep, beat, isKept, core } = hearing();
    keep();
    at.now += 2100;
    assert(!isKept());
    beat();
    assert(!isKept(), 'the server may have answered something newer');
    keep();
    core.passBy('k');
    assert(!isKept());
});

test('an answer ends with its own life, with a lost message and with its connection', () => {
    const near = hearing();
    near.keep('k', { voucher: vouched(undefined, { ttl_ms: 100 }) });
    near.at.now += 101;
    assert(!near.isKept());
    near.keep();
    near.at.seq++;
    near.tell({ table: 'other' });
    assert(!near.isKept());
    near.keep();
    assert(!near.isKept(), 'until the next heartbeat');
    near.beat();
    near.keep();
    const began = near.core.begin();
    near.core.lose(near.connection, 'lost');
    assert(!near.isKept() && near.core.stats().reason === 'lost');
    near.core.lose(near.connection, 'late');
    near.core.hear(near.core.connect('server'), heartbeat(1));
    near.keep('k', { began });
    assert(!near.isKept());
    assert.strictEqual(near.core.stats().resets, 2);
});

test('the least recently used goes first, and what is too large at once', () => {
    const { core, keep, isKept } = hearing();
    for (const key of ['a', 'b', 'c']) keep(key);
    assert(isKept('a'));
    keep('d');
    assert.deepStrictEqual(['a', 'b', 'c', 'd'].filter(isKept), ['a', 'c', 'd']);
    keep('e', { size: 90 });
    keep('f', { size: 101 });
    assert.deepStrictEqual([core.stats().entries, core.stats().bytes, core.stats().evictions], [2, 100, 3]);
});

test('what is no message or no voucher is refused', () => {
    const { core, connection } = hearing();
    for (const text of ['', '[]', 'null', '{}', '{"run":"r"}']) assert.throws(() => core.hear(connection, text));
    for (const reply of [null, 1, 'x', '[]', 'null', '{}']) assert.strictEqual(readVoucher(reply), undefined);
});

/** A random number generator that a seed makes anew. */
function random(seed) {
    let state = seed + 1;
    return (count) => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        return Math.floor((state / 2 ** 32) * count);
    };
}

/** A server with late notices, a wire that loses messages, and reads under way in any order. */
function world(seed) {
    const draw = random(seed);
    const at = { now: 100_000 };
    const core = new NearCore({ entries: 10, bytes: 1000 }, () => at.now);
    const history = [[[0, 0]], [[0, 0]]];
    const told = [0, 0];
    let [seq, run, toldUntil, hits] = [0, 'r0', at.now, 0];
    let [untold, wire, pings, reads] = [[], [], [], []];
    let connection = core.connect('server');
    // The newest version that the server has answered, and that a reader has seen.
    const [served, seen] = [
        [0, 0],
        [0, 0],
    ];
    const publish = (members) => wire.push(message(++seq, members, run));
    const tell = () => {
        const change = untold.shift();
        if (!change) return;
        told[change[0]] = change[1];
        publish({ table: 'users', keys: [`{"id":${change[0]}}`] });
    };
    const deliver = () => {
        const came = wire.shift();
        if (typeof came === 'number') connection.pong(came);
        else if (came) core.hear(connection, came);
    };
    const lose = () => {
        [wire, pings] = [[], []];
        core.lose(connection, 'lost');
        connection = core.connect('server');
    };
    const steps = {
        commit() {
            const row = draw(2);
            const version = history[row].at(-1)[1] + 1;
            history[row].push([at.now, version]);
            untold.push([row, version]);
        },
        tell,
        beat() {
            if (!untold.length) toldUntil = at.now;
            if (at.now - toldUntil < 2000) wire.push(heartbeat(++seq, at.now - toldUntil, run));
        },
        ping: () => pings.push(at.now),
        pong: () => pings.length && wire.push(pings.shift()),
        deliver: () => [...Array(draw(4))].forEach(deliver),
        read() {
            const row = draw(2);
            const found = core.get(String(row));
            if (found === MISSING) {
                // The server does not go back.
                const version = (served[row] = Math.max(served[row], draw(2) ? told[row] : history[row].at(-1)[1]));
                return reads.push([row, version, core.begin(), readVoucher(vouched(`{"id":${row}}`, { run }))]);
            }
            hits++;
            const oldest = history[row].filter(([since]) => since <= at.now - 2000).at(-1)[1];
            assert(found >= oldest, `seed ${seed}: row ${row} is ${found} near by, and was ${oldest} long ago`);
            assert(found >= seen[row], `seed ${seed}: row ${row} is ${found} near by, and somebody has seen ${seen[row]}`);
        },
        finish() {
            const [read] = reads.splice(draw(reads.length || 1), 1);
            if (!read) return;
            const [row, version, began, voucher] = read;
            const entry = draw(5) ? { make: () => version, voucher, own: [], size: 10 } : undefined;
            core.take(String(row), String(version), began, entry);
            seen[row] = Math.max(seen[row], version);
        },
        pass: () => (at.now += draw(250)),
    };
    const names = ['commit', 'tell', 'beat', 'beat', 'ping', 'pong', 'deliver', 'deliver', 'read', 'read', 'read', 'finish', 'finish', 'pass', 'pass'];
    for (let step = 0; step < 400; step++) {
        if (draw(50)) steps[names[draw(names.length)]]();
        else if (draw(2)) lose();
        else if (typeof wire[0] === 'string') wire.shift();
        else [run, seq] = [`r${step}`, lose() ?? 0];
    }
    while (untold.length) tell();
    while (wire.length) deliver();
    for (const row of [0, 1]) {
        at.now = Math.min(at.now, at.now);
        const found = core.get(String(row));
        assert(found === MISSING || found === history[row].at(-1)[1], `seed ${seed}: row ${row} is kept as ${String(found)}`);
    }
    return hits;
}

test('no answer is older than the bound and none stays when all is told, whatever happens', () => {
    let hits = 0;
    for (let seed = 0; seed < 400; seed++) hits += world(seed);
    assert(hits > 1000, String(hits));
});

/** A cache whose listener is live. */
async function live(...replies) {
    const client = new Client(null, null, ...replies);
    const cache = new PGCache(client, { nearCache: { entries: 10 } });
    await cache.read('users', { id: 0 });
    await until(() => client.subscriptions[0]?.hear && client.subscriptions[0].sent.length);
    await new Promise((resolve) => setImmediate(resolve));
    client.subscriptions[0].hear(heartbeat(1));
    assert(cache.nearStats().live);
    client.asked.length = 0;
    let seq = 1;
    return { client, cache, tell: (members) => client.subscriptions[0].hear(message(++seq, members)) };
}

test('the second read of a row is kept and the third asks nobody', async () => {
    const { client, cache, tell } = await live(null, ROW, vouched(), ROW, null, ROW);
    for (let read = 0; read < 4; read++) {
        const row = await cache.read('users', { id: 1 });
        assert.deepStrictEqual(row, { id: 1, name: 'Ada' });
        row.name = 'changed';
    }
    const asked = [
        ['PGCACHE.NEAR', 'users', '{"id":1}'],
        ['PGCACHE.READ', 'users', '{"id":1}'],
    ];
    assert.deepStrictEqual(client.asked, [...asked, ...asked]);
    tell({ table: 'users', keys: ['{"id":1}'] });
    await cache.read('users', { id: 1 });
    assert.strictEqual(client.asked.length, 6);
    assert.strictEqual(client.subscriptions[0].channel, 'pg_cache_near');
    cache.close();
    assert(!client.subscriptions[0].isOpen || (await until(() => !client.subscriptions[0].isOpen)) === undefined);
});

test('many rows ask for those that are not kept, and nested values are copied', async () => {
    const nested = '[{"id":2,"tags":["a"]},null]';
    const { client, cache } = await live(vouched(), ROW, `[${vouched('{"id":2}')},${vouched('{"id":3}')}]`, nested);
    await cache.read('users', { id: 1 });
    for (let read = 0; read < 2; read++) {
        const rows = await cache.multiread('users', [2, 1, 3]);
        assert.deepStrictEqual(rows, [{ id: 2, tags: ['a'] }, { id: 1, name: 'Ada' }, null]);
        rows[0].tags.push('changed');
    }
    assert.deepStrictEqual(client.asked.slice(2), [
        ['PGCACHE.NEAR', 'users', '[{"id":2},{"id":3}]'],
        ['PGCACHE.MULTIREAD', 'users', '[{"id":2},{"id":3}]'],
    ]);
    cache.close();
});

test('results of queries are kept, and errors are not', async () => {
    const voucher = JSON.stringify({ run: 'r', query: 'top', tables: ['users'], tags: ['t'], source: 'default', ttl_ms: 1000 });
    const { client, cache, tell } = await live(voucher, `[${ROW}]`, voucher, new Error('PGDOWN no'));
    for (let read = 0; read < 2; read++) assert.strictEqual((await cache.query('top', [1], { tags: ['t'] }))[0].name, 'Ada');
    assert.deepStrictEqual(client.asked[0], ['PGCACHE.NEAR', 'QUERY', 'top', 'NAME', 'top', '[1]', 'TAGS', '1', 't']);
    assert.strictEqual(client.asked.length, 2);
    tell({ tag: 't' });
    await assert.rejects(cache.query('top', [1], { tags: ['t'] }), PGDown);
    cache.close();
});

test('changes of its own are forgotten at once, and a read may go past it', async () => {
    const changes = [
        (cache) => cache.write('users', { id: 1 }, { id: 1 }),
        (cache) => cache.invalidate('users', { id: 1 }),
        (cache) => cache.flush({ table: 'users' }),
        (cache) => cache.flush({ all: true }),
    ];
    for (const change of changes) {
        const { client, cache } = await live(vouched(), ROW, 1, null, ROW, ROW, ROW);
        await cache.read('users', { id: 1 });
        await change(cache);
        await cache.read('users', { id: 1 });
        assert.strictEqual(client.asked.at(-1)[0], 'PGCACHE.READ');
        assert.strictEqual(client.asked.length, 5);
        await cache.read('users', { id: 1 }, { near: false });
        await cache.read('users', { id: 1 }, { minlsn: '0/1' });
        assert.strictEqual(client.asked.length, 7);
        cache.close();
    }
    const voucher = JSON.stringify({ run: 'r', query: 'top', tables: [], tags: ['t'], source: null, ttl_ms: null });
    for (const change of [(cache) => cache.define('top', 'SELECT 1'), (cache) => cache.undefine('top'), (cache) => cache.flush({ tag: 't' })]) {
        const { client, cache } = await live(voucher, '[]', 1, voucher, '[]');
        await cache.query('top');
        await change(cache);
        await cache.query('top');
        assert.strictEqual(client.asked.length, 5);
        cache.close();
    }
});

test('another connection follows one that is lost, is silent or says what is no message', async () => {
    const troubles = [
        (subscriber) => subscriber.listeners.error(new Error('lost')),
        (subscriber) => subscriber.listeners.end(),
        (subscriber) => subscriber.hear('nothing'),
        (subscriber) => (subscriber.isSilent = true),
    ];
    for (const trouble of troubles) {
        const { client, cache } = await live();
        trouble(client.subscriptions[0]);
        await until(() => client.subscriptions[1]?.sent.length);
        assert(!client.subscriptions[0].isOpen && !cache.nearStats().live);
        assert.strictEqual(client.subscriptions[1].options.socket.reconnectStrategy, false);
        cache.close();
    }
});

test('each primary of a cluster is listened to on its own channel', async () => {
    const cluster = new Cluster();
    cluster.nodes.forEach((node, index) => (node.replies = [['near_channel', `pg_cache_near:${index}`]]));
    cluster.any.replies = [vouched(), ROW, vouched(), ROW];
    const cache = new PGCache(cluster, { nearCache: 10 });
    await cache.read('users', { id: 1 });
    await until(() => cluster.nodes.every((node) => node.subscriptions[0]?.sent.length));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepStrictEqual(
        cluster.nodes.map((node) => node.subscriptions[0].channel),
        ['pg_cache_near:0', 'pg_cache_near:1'],
    );
    cluster.nodes[0].subscriptions[0].hear(heartbeat(1));
    await cache.read('users', { id: 1 });
    assert.strictEqual(cache.nearStats().entries, 0, 'a node is not heard that may have answered');
    cluster.masters.pop();
    cluster.any.replies = [vouched(), ROW];
    await cache.read('users', { id: 1 });
    assert.strictEqual(cache.nearStats().entries, 1);
    await until(() => !cluster.nodes[1].subscriptions[0].isOpen);
    cache.close();
});
