// A cluster client of node-redis at work with every command; see tests/cluster_clients.rs.
//
//     client.js <port>
//
// It says `move` when it has learned who serves what and wants row 1 to move, and goes on when it reads a line.
'use strict';

const assert = require('assert');
const readline = require('readline');
const redis = require('redis');

const url = `redis://127.0.0.1:${process.argv[2]}`;
const key = (id) => `{"id":${id}}`;
const numbers = [...Array(30).keys()].map((index) => index + 1);
const many = `[${numbers.map(key).join(',')}]`;

// node-redis has no table of commands: the caller names the key by which a command is sent.
const ask = (client, by, ...command) => client.sendCommand(by, false, command);
const read = async (client, id) => JSON.parse(await ask(client, key(id), 'PGCACHE.READ', 'users', key(id)));

async function connect(options) {
    const client = redis.createCluster({ rootNodes: [{ url }], ...options });
    client.on('error', () => {});
    await client.connect();
    return client;
}

// Before version 4.6 `getMasters`, then `masters` with a client that may be a promise of one.
async function primaries(client) {
    const all = client.getMasters ? client.getMasters() : client.masters;
    return Promise.all(all.map((node) => (client.nodeClient ? client.nodeClient(node) : node.client)));
}

async function rows(client) {
    const found = await Promise.all(numbers.map((id) => read(client, id)));
    assert.deepStrictEqual(found.map((row) => row.id), numbers);
    assert.strictEqual(await read(client, 99999), null);
    assert.strictEqual(await ask(client, key(7), 'PGCACHE.WRITE', 'users', key(7), '{"id":7,"name":"written"}'), 'OK');
    assert.strictEqual((await read(client, 7)).name, 'written');
    assert.strictEqual(await ask(client, key(7), 'PGCACHE.INVALIDATE', 'users', key(7)), 'OK');
    assert.notStrictEqual((await read(client, 7)).name, 'written');
    assert((await ask(client, key(7), 'PGCACHE.KEY', 'users', key(7))).endsWith(':' + key(7)));
    assert((await ask(client, key(7), 'PGCACHE.INSPECT', 'users', key(7))).includes('cached'));
    const array = JSON.parse(await ask(client, many, 'PGCACHE.MULTIREAD', 'users', many));
    assert.deepStrictEqual(array.map((row) => row.id), numbers);
}

async function queries(client) {
    for (const node of await primaries(client)) {
        await node.sendCommand(['PGCACHE.DEFINE', 'of', 'SELECT id FROM users WHERE id = $1']);
    }
    assert.strictEqual(await ask(client, 'of', 'PGCACHE.QUERY', 'NAME', 'of', '[3]'), '[{"id":3}]');
    const free = ['PGCACHE.QUERY', 'SELECT id FROM users WHERE id = $1', '[4]'];
    assert.strictEqual(await ask(client, '[4]', ...free), '[{"id":4}]');
    // Without a key any node will do.
    assert.strictEqual(await ask(client, undefined, 'PGCACHE.QUERY', 'SELECT id FROM users WHERE id = 5'), '[{"id":5}]');
}

async function refusals(client) {
    await assert.rejects(ask(client, key(1), 'PGCACHE.READ', 'nothing', key(1)), /^(Error|.*Error: )?.*PGNOTABLE/);
    await assert.rejects(ask(client, '{ "id": 1 }', 'PGCACHE.WRITE', 'users', '{ "id": 1 }', '{}'), /send_as/);
}

async function withoutKey(client) {
    for (const [command, ...words] of [['HEALTH'], ['STATS'], ['WATCH', 'LIST'], ['SLOWLOG', 'LEN']]) {
        await ask(client, undefined, 'PGCACHE.' + command, ...words);
    }
    for (const node of await primaries(client)) await node.sendCommand(['PGCACHE.FLUSH', 'TABLE', 'users']);
}

async function fromReplicas(client) {
    await read(client, 2);
    const row = await client.sendCommand(key(2), true, ['PGCACHE.READ', 'users', key(2)]);
    assert.strictEqual(JSON.parse(row).id, 2);
}

async function main() {
    const client = await connect();
    await rows(client);
    await queries(client);
    await refusals(client);
    await withoutKey(client);
    const reader = await connect({ useReplicas: true });
    await fromReplicas(reader);
    console.log('move');
    await new Promise((resolve) => readline.createInterface({ input: process.stdin }).once('line', resolve));
    assert.strictEqual((await read(client, 1)).id, 1);
    assert.strictEqual(await ask(client, key(1), 'PGCACHE.INVALIDATE', 'users', key(1)), 'OK');
    console.log('done');
    process.exit(0);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
