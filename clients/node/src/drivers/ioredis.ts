// ioredis: `Redis` and `Cluster`.

import { slotOf } from '../slots.js';
import type { Command, Driver, Hearer, Node, Subscription, Words } from './driver.js';

/** As much of a client as is used here. */
export interface IoRedis {
    options: { host?: string; port?: number };
    call(name: string, ...words: string[]): Promise<unknown>;
    duplicate(options?: object): IoRedis;
    connect(): Promise<unknown>;
    disconnect(): void;
    on(event: string, listener: (...values: string[]) => void): unknown;
    subscribe(channel: string): Promise<unknown>;
}

/** As much of a cluster's client as is used here. */
export interface IoCluster {
    nodes(role: 'master'): IoRedis[];
    slots: string[][];
    refreshSlotsCache(callback: (error?: unknown) => void): void;
}

const MAX_REDIRECTIONS = 16;

function call(client: IoRedis, words: Words): Promise<unknown> {
    const [name = '', ...rest] = words;
    return client.call(name, ...rest);
}

/** One server. */
export class IoRedisDriver implements Driver {
    readonly isCluster = false;

    constructor(private readonly client: IoRedis) {}

    send({ words }: Command): Promise<unknown> {
        return call(this.client, words);
    }

    nodeOf(): string {
        return 'server';
    }

    async nodes(): Promise<Node[]> {
        return [nodeOf('server', this.client)];
    }
}

/** A cluster. ioredis does not know where the keys of a module's commands are, so that the node is chosen here. */
export class IoRedisCluster implements Driver {
    readonly isCluster = true;

    constructor(private readonly client: IoCluster) {}

    async send({ words, route }: Command): Promise<unknown> {
        let client = this.find(route === undefined ? undefined : this.nodeOf(route));
        for (let tries = 0; ; tries++) {
            try {
                return await call(client, words);
            } catch (error) {
                const moved = /^(MOVED|ASK) \d+ (\S+)/.exec(error instanceof Error ? error.message : '');
                if (!moved || tries === MAX_REDIRECTIONS) throw error;
                client = await this.redirect(moved[2] ?? '', moved[1] === 'ASK');
            }
        }
    }

    nodeOf(key: string): string {
        return this.client.slots[slotOf(key)]?.[0] ?? '';
    }

    async nodes(): Promise<Node[]> {
        return this.client.nodes('master').map((client) => nodeOf(nameOf(client), client));
    }

    private find(name: string | undefined): IoRedis {
        const all = this.client.nodes('master');
        const found = all.find((client) => nameOf(client) === name) ?? all[0];
        if (!found) throw new Error('the client knows no primary of the cluster');
        return found;
    }

    private async redirect(name: string, isAsked: boolean): Promise<IoRedis> {
        if (!isAsked || !this.client.nodes('master').some((client) => nameOf(client) === name)) {
            await new Promise<void>((resolve) => this.client.refreshSlotsCache(() => resolve()));
        }
        const client = this.find(name);
        // It is sent in front of the command, on the same connection.
        if (isAsked) client.call('ASKING').catch(() => {});
        return client;
    }
}

function nameOf(client: IoRedis): string {
    return `${client.options.host}:${client.options.port}`;
}

function nodeOf(name: string, client: IoRedis): Node {
    return {
        name,
        send: (words) => call(client, words),
        subscribe: (channel, hearer) => subscribe(client, channel, hearer),
    };
}

async function subscribe(client: IoRedis, channel: string, hearer: Hearer): Promise<Subscription> {
    // It must not connect again by itself: whoever listens has to know that it was away.
    const own = client.duplicate({ lazyConnect: true, retryStrategy: null, autoResubscribe: false, enableOfflineQueue: true });
    for (const event of ['error', 'close', 'end']) own.on(event, (reason) => hearer.lost(String(reason ?? event)));
    own.on('message', (_, message) => hearer.message(message ?? ''));
    await own.connect();
    await own.subscribe(channel);
    return { ping: (payload) => own.call('PING', payload), close: () => own.disconnect() };
}
