// The client: the words that each method sends, and what replies mean.
import assert from 'node:assert';
import test from 'node:test';

import { PGBadValue, PGCache, PGDown } from 'pgcache';

import { slotOf } from '../dist/esm/slots.js';
import { Client, Cluster } from './fakes.js';

async function sent(reply, method) {
    const client = new Client(reply);
    const result = await method(new PGCache(client));
    return [client.asked[0]?.join(' '), result];
}

test('each method sends its command and decodes the reply', async () => {
    const row = '{"id":1}';
    const cases = [
        [row, (c) => c.read('users', { id: 1 }), 'PGCACHE.READ users {"id":1}', { id: 1 }],
        [null, (c) => c.read('users', { id: 1 }, { ttl: 5, minlsn: '0/1' }), 'PGCACHE.READ users {"id":1} 5 MINLSN 0/1', null],
        ['[{"id":1},null]', (c) => c.multiread('users', [1, { k: 'x' }]), 'PGCACHE.MULTIREAD users [{"id":1},{"k":"x"}]', [{ id: 1 }, null]],
        ['OK', (c) => c.write('users', { id: 1 }, { id: 1 }, { ttl: 9 }), 'PGCACHE.WRITE users {"id":1} {"id":1} 9', undefined],
        ['OK', (c) => c.write('users', { id: 1 }, null), 'PGCACHE.WRITE users {"id":1} null', undefined],
        ['OK', (c) => c.invalidate('users', { id: 1 }), 'PGCACHE.INVALIDATE users {"id":1}', undefined],
        ['k', (c) => c.key('users', { id: 1 }), 'PGCACHE.KEY users {"id":1}', 'k'],
        [['cached', 1, 'sql', 's'], (c) => c.inspect('query', { id: 1 }), 'PGCACHE.INSPECT "query" {"id":1}', { cached: true, sql: 's' }],
        ['[{"a":1}]', (c) => c.query('top', ['NL'], { ttl: 1, tags: ['t'], source: 's' }), 'PGCACHE.QUERY NAME top ["NL"] TTL 1 TAGS 1 t SOURCE s', [{ a: 1 }]],
        ['[]', (c) => c.query('SELECT 1', [], { minlsn: '0/1' }), 'PGCACHE.QUERY SELECT 1 [] MINLSN 0/1', []],
        [['tables', ['t']], (c) => c.inspectQuery('top'), 'PGCACHE.INSPECT QUERY NAME top []', { tables: ['t'] }],
        ['OK', (c) => c.define('top', 'SELECT 1', { tags: ['t'] }), 'PGCACHE.DEFINE top SELECT 1 TAGS 1 t', undefined],
        ['OK', (c) => c.undefine('top'), 'PGCACHE.DEFINE DEL top', undefined],
        [[['name', 'top']], (c) => c.definitions(), 'PGCACHE.DEFINE LIST', [{ name: 'top' }]],
        [3, (c) => c.flush({ all: true }), 'PGCACHE.FLUSH ALL', 3],
        [1, (c) => c.flush({ table: 'a' }), 'PGCACHE.FLUSH TABLE a', 1],
        [2, (c) => c.flush({ tag: ['a', 'b'], everywhere: true }), 'PGCACHE.FLUSH EVERYWHERE TAG a b', 2],
        ['OK', (c) => c.watch('users'), 'PGCACHE.WATCH ADD users', undefined],
        ['OK', (c) => c.unwatch('users'), 'PGCACHE.WATCH DEL users', undefined],
        [[{ table: 'a' }], (c) => c.watched(), 'PGCACHE.WATCH LIST', [{ table: 'a' }]],
        ['sql', (c) => c.watchSql('users'), 'PGCACHE.WATCH SQL users', 'sql'],
        [['hit_ratio', '0.5', 'hits', 3], (c) => c.stats({ table: 'a' }), 'PGCACHE.STATS TABLE a', { hit_ratio: 0.5, hits: 3 }],
        ['OK', (c) => c.resetStats(), 'PGCACHE.STATS RESET', undefined],
        [new Map([['sources', { default: { superuser: false } }]]), (c) => c.health(), 'PGCACHE.HEALTH', { sources: { default: { superuser: false } } }],
        [17, (c) => c.barrier(100, { source: 's' }), 'PGCACHE.BARRIER 100 SOURCE s', 17],
    ];
    for (const [reply, method, words, result] of cases) assert.deepStrictEqual(await sent(reply, method), [words, result]);
    assert.deepStrictEqual(await new PGCache(new Client()).multiread('users', []), []);
});

test('wrong calls are refused before anything is sent', async () => {
    const cache = new PGCache(new Client());
    for (const wrong of [
        () => cache.read('users', {}),
        () => cache.read('users', null),
        () => cache.flush({}),
        () => cache.flush({ table: 'a', tag: 'b' }),
        () => cache.stats({ table: 'a', query: 'b' }),
    ]) {
        await assert.rejects(wrong, TypeError);
    }
    assert.throws(() => new PGCache({}), TypeError);
    assert.throws(() => cache.nearStats(), TypeError);
    cache.close();
});

test('errors are classes with the table', async () => {
    const down = new PGCache(new Client(new Error('PGDOWN no')));
    await assert.rejects(down.read('users', { id: 1 }), (error) => error instanceof PGDown && error.table === 'users' && error.retryable);
});

test('a decoder of the caller decodes', async () => {
    const cache = new PGCache(new Client('{"id":1}'), { decoder: (text) => ({ text }) });
    assert.deepStrictEqual(await cache.read('users', { id: 1 }), { text: '{"id":1}' });
});

test('a pipeline has the results in order', async () => {
    const replies = ['{"id":1}', 'OK', new Error('PGDOWN no'), '[]'];
    const cache = new PGCache(new Client(...replies, ...replies));
    const queue = () => cache.pipeline().read('users', { id: 1 }).invalidate('users', { id: 2 }).write('users', { id: 3 }, null).query('top');
    assert.strictEqual(queue().length, 4);
    const results = await queue().execute({ throwErrors: false });
    assert.deepStrictEqual([results[0], results[1], results[2] instanceof PGDown, results[3]], [{ id: 1 }, undefined, true, []]);
    await assert.rejects(queue().execute(), PGDown);
});

test('slots are those of the cluster specification', () => {
    assert.deepStrictEqual(['123456789', '{user1000}.a', 'foo{}{bar}', '{"id":1}'].map(slotOf), [12739, slotOf('user1000'), 8363, slotOf('"id":1')]);
});

test('in a cluster rows go to their nodes, and what is for all to every primary', async () => {
    const cluster = new Cluster('[{"id":1}]', '[{"id":2}]');
    const keys = [1, 2, 3, 4].filter((id) => slotOf(`{"id":${id}}`) % 2 === 0).slice(0, 1);
    keys.push([1, 2, 3, 4].find((id) => slotOf(`{"id":${id}}`) % 2 === 1));
    const cache = new PGCache(cluster);
    assert.deepStrictEqual(await cache.multiread('users', keys), [{ id: 1 }, { id: 2 }]);
    assert.deepStrictEqual(cluster.routes, keys.map((id) => `{"id":${id}}`));
    const counts = new Cluster(2);
    assert.strictEqual(await new PGCache(counts).flush({ all: true }), 2);
    assert.strictEqual(counts.nodes.flatMap((node) => node.asked).length, 2);
    assert.deepStrictEqual(await new PGCache(new Cluster(['hits', 1])).stats(), { 'a:1': { hits: 1 }, 'b:2': { hits: 1 } });
    await assert.rejects(new PGCache(new Cluster(new Error('PGDOWN no'))).health(), PGDown);
    const one = new Cluster([]);
    await new PGCache(one).watched();
    assert.deepStrictEqual(one.routes, [undefined]);
});

test("an error of one key names the caller's own place", async () => {
    const ids = [1, 2, 3, 4, 5, 6];
    const [even, odd] = [0, 1].map((rest) => ids.find((id) => slotOf(`{"id":${id}}`) % 2 === rest));
    const cache = new PGCache(new Cluster('[null]', new Error('PGBADVALUE the lookup key at index 0: no')));
    await assert.rejects(cache.multiread('users', [even, odd]), (error) => error instanceof PGBadValue && error.index === 1);
});
