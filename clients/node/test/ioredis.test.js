// The driver of ioredis: which node a command goes to, and how a connection listens.
import assert from 'node:assert';
import test from 'node:test';

import { PGCache } from 'pgcache';

import { driverOf } from '../dist/esm/drivers/find.js';
import { slotOf } from '../dist/esm/slots.js';

/** A client of one server. */
class Redis {
    asked = [];
    listeners = {};

    constructor(host, ...replies) {
        [this.options, this.replies] = [{ host, port: 1 }, replies];
    }

    async call(...words) {
        this.asked.push(words);
        const reply = this.replies.shift();
        if (reply instanceof Error) throw reply;
        return reply;
    }

    duplicate(options) {
        this.own = Object.assign(new Redis('own', 'pong'), { given: options });
        return this.own;
    }

    on(event, listener) {
        this.listeners[event] = listener;
    }

    async connect() {}

    async subscribe(channel) {
        this.channel = channel;
    }

    disconnect() {
        this.isClosed = true;
    }
}

/** A client of a cluster, all of whose slots belong to the first node. */
class Cluster {
    slots = Array(16384).fill(['a:1']);
    refreshed = 0;

    constructor(...all) {
        this.all = all;
    }

    nodes() {
        return this.all;
    }

    refreshSlotsCache(callback) {
        this.refreshed++;
        callback();
    }
}

test('one server is asked by call', async () => {
    const client = new Redis('a', '{"id":1}');
    assert.deepStrictEqual(await new PGCache(client).read('users', { id: 1 }), { id: 1 });
    assert.deepStrictEqual(client.asked, [['PGCACHE.READ', 'users', '{"id":1}']]);
    assert.strictEqual(driverOf(client).nodeOf('x'), 'server');
});

test('a command goes to the node of its key, and follows redirections', async () => {
    const slot = slotOf('{"id":1}');
    const moved = new Cluster(new Redis('a', new Error(`MOVED ${slot} b:1`)), new Redis('b', '{"id":1}'));
    assert.deepStrictEqual(await new PGCache(moved).read('users', { id: 1 }), { id: 1 });
    assert.strictEqual(moved.refreshed, 1);
    const asked = new Cluster(new Redis('a', new Error(`ASK ${slot} b:1`)), new Redis('b', 'OK', '{"id":1}'));
    assert.deepStrictEqual(await new PGCache(asked).read('users', { id: 1 }), { id: 1 });
    assert.deepStrictEqual(asked.all[1].asked[0], ['ASKING']);
    await assert.rejects(new PGCache(new Cluster()).read('users', { id: 1 }), /no primary/);
    const circle = new Cluster(new Redis('a', ...Array(20).fill(new Error(`MOVED ${slot} a:1`))));
    await assert.rejects(new PGCache(circle).read('users', { id: 1 }), /MOVED/);
    assert.strictEqual(circle.all[0].asked.length, 17);
});

test('a connection listens, and does not connect again by itself', async () => {
    for (const [client, isCluster] of [
        [new Redis('a'), false],
        [new Redis('b'), true],
    ]) {
        const driver = driverOf(isCluster ? new Cluster(client) : client);
        const heard = [];
        const [node] = await driver.nodes();
        const hearer = { message: (text) => heard.push(text), lost: (reason) => heard.push(`lost: ${reason}`) };
        const subscription = await node.subscribe('c', hearer);
        assert.deepStrictEqual([client.own.channel, client.own.given.retryStrategy], ['c', null]);
        client.own.listeners.message('c', 'text');
        client.own.listeners.close();
        assert.deepStrictEqual(heard, ['text', 'lost: close']);
        assert.strictEqual(await subscription.ping('1'), 'pong');
        subscription.close();
        assert(client.own.isClosed);
        assert.strictEqual(await node.send(['PING']), undefined);
    }
});
