// Events.
import assert from 'node:assert';
import test from 'node:test';

import { PGCache } from 'pgcache';

import { Client } from './fakes.js';

const until = async (isSo) => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
};

test('events of the wanted types come one after the other until nobody wants more', async () => {
    const client = new Client();
    const end = new AbortController();
    const heard = [];
    const reading = (async () => {
        for await (const event of new PGCache(client).events({ types: ['cache_hit'], signal: end.signal })) heard.push(event.key.id);
    })();
    await until(() => client.subscriptions[0]?.hear);
    const [subscriber] = client.subscriptions;
    assert.strictEqual(subscriber.channel, 'pg_cache_events');
    for (const text of ['{"type":"cache_hit","key":{"id":1}}', 'no JSON', 'null', '{"type":"cache_miss"}', '{"type":"cache_hit","key":{"id":2}}']) {
        subscriber.hear(text);
    }
    await until(() => heard.length === 2);
    subscriber.listeners.end();
    await until(() => client.subscriptions[1]?.hear);
    client.subscriptions[1].hear('{"type":"cache_hit","key":{"id":3}}');
    await until(() => heard.length === 3);
    end.abort();
    await reading;
    assert.deepStrictEqual(heard, [1, 2, 3]);
    assert(!client.subscriptions[1].isOpen);
});

test('leaving the loop ends the subscription', async () => {
    const client = new Client();
    const reading = (async () => {
        for await (const event of new PGCache(client).events()) return event.type;
    })();
    await until(() => client.subscriptions[0]?.hear);
    client.subscriptions[0].hear('{"type":"source_down"}');
    assert.strictEqual(await reading, 'source_down');
    assert(!client.subscriptions[0].isOpen);
});
