// node-redis: `createClient` and `createCluster`.

import { slotOf } from '../slots.js';
import type { Command, Driver, Hearer, Node, Subscription, Words } from './driver.js';

/** As much of a client as is used here. */
export interface RedisClient {
    options?: { socket?: object };
    sendCommand(words: string[]): Promise<unknown>;
    duplicate(options?: object): RedisClient;
    connect(): Promise<unknown>;
    destroy?(): void;
    disconnect(): Promise<unknown>;
    on(event: string, listener: (...values: unknown[]) => void): unknown;
    subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
}

interface Master {
    address: string;
}

/** As much of a cluster's client as is used here. */
export interface RedisCluster {
    sendCommand(key: string | undefined, isReadonly: boolean, words: string[]): Promise<unknown>;
    masters: Master[];
    slots: { master: Master }[];
    nodeClient(node: Master): RedisClient | Promise<RedisClient>;
}

/** One server. */
export class NodeRedis implements Driver {
    readonly isCluster = false;

    constructor(private readonly client: RedisClient) {}

    send({ words }: Command): Promise<unknown> {
        return this.client.sendCommand([...words]);
    }

    nodeOf(): string {
        return 'server';
    }

    async nodes(): Promise<Node[]> {
        return [nodeOf('server', this.client)];
    }
}

/** A cluster. */
export class NodeRedisCluster implements Driver {
    readonly isCluster = true;

    constructor(private readonly client: RedisCluster) {}

    send({ words, route }: Command): Promise<unknown> {
        return this.client.sendCommand(route, false, [...words]);
    }

    nodeOf(key: string): string {
        return this.client.slots[slotOf(key)]?.master.address ?? '';
    }

    async nodes(): Promise<Node[]> {
        return Promise.all(this.client.masters.map(async (master) => nodeOf(master.address, await this.client.nodeClient(master))));
    }
}

function nodeOf(name: string, client: RedisClient): Node {
    return {
        name,
        send: (words: Words) => client.sendCommand([...words]),
        subscribe: (channel, hearer) => subscribe(client, channel, hearer),
    };
}

async function subscribe(client: RedisClient, channel: string, hearer: Hearer): Promise<Subscription> {
    // It must not connect again by itself: whoever listens has to know that it was away.
    const own = client.duplicate({ socket: { ...client.options?.socket, reconnectStrategy: false } });
    for (const event of ['error', 'end']) {
        own.on(event, (reason) => hearer.lost(reason instanceof Error ? reason.message : event));
    }
    await own.connect();
    await own.subscribe(channel, (message) => hearer.message(message));
    return {
        ping: (payload) => own.sendCommand(['PING', payload]),
        close: () => {
            if (own.destroy) own.destroy();
            else own.disconnect().catch(() => {});
        },
    };
}
