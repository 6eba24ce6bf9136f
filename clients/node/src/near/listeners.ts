// Listeners: a connection to each server, opened again when it is lost.

import type { Driver, Node, Subscription } from '../drivers/driver.js';
import { toMap } from '../maps.js';
import type { NearCore } from './core.js';
import type { Connection } from './leases.js';

const CHANNEL = 'pg_cache_near';
/** Milliseconds between attempts to connect. */
const PAUSES = [50, 100, 200, 500, 1000] as const;
/** Milliseconds between two pings at the most, and for which a server may be silent at the least. */
const MAX_PING = 250;
const MIN_SILENCE = 1000;

/** All listeners of one near cache. */
export class Listeners {
    private readonly listeners = new Map<string, Listener>();
    private names: string[] = [];
    private isClosed = false;

    constructor(
        private readonly core: NearCore,
        private readonly driver: Driver,
    ) {}

    /** Has every server listened to, and those no longer that have gone. */
    async ensure(): Promise<void> {
        const nodes = this.isClosed ? [] : await this.driver.nodes();
        this.names = nodes.map((node) => node.name);
        for (const [name, listener] of this.listeners) if (!this.names.includes(name)) this.end(name, listener);
        for (const node of nodes) {
            if (this.listeners.has(node.name) || this.isClosed) continue;
            const listener = new Listener(this.core, node, this.driver.isCluster);
            this.listeners.set(node.name, listener);
            void listener.run();
        }
    }

    /** Tells whether every server that may have answered is heard. */
    isHeard(): boolean {
        return !this.isClosed && this.core.isHeard(this.names);
    }

    /** Ends all of them. */
    close(): void {
        this.isClosed = true;
        for (const [name, listener] of this.listeners) this.end(name, listener);
    }

    private end(name: string, listener: Listener): void {
        listener.close();
        this.listeners.delete(name);
    }
}

/** Listens to one server until it is closed. */
class Listener {
    private isClosed = false;
    private stop: ((reason: string) => void) | undefined;
    private timer: NodeJS.Timeout | undefined;

    constructor(
        private readonly core: NearCore,
        private readonly node: Node,
        private readonly isCluster: boolean,
    ) {}

    async run(): Promise<void> {
        for (let failures = 0; !this.isClosed; ) {
            const began = performance.now();
            const reason = await this.once().catch(String);
            this.core.reason = reason;
            failures = performance.now() - began > 1000 ? 0 : failures + 1;
            if (!this.isClosed) await this.pause(PAUSES[Math.min(failures, PAUSES.length - 1)] ?? 1000);
        }
    }

    close(): void {
        this.isClosed = true;
        this.stop?.('it was closed');
    }

    /** Listens for as long as the connection lives, and returns why it ended. */
    private async once(): Promise<string> {
        let lost: (reason: string) => void = () => {};
        const ended = new Promise<string>((resolve) => (lost = resolve));
        this.stop = lost;
        const early: string[] = [];
        let hear = (text: string): void => void early.push(text);
        const subscription = await this.node.subscribe(await this.channel(), { message: (text) => hear(text), lost });
        const connection = this.core.connect(this.node.name);
        hear = (text) => this.hear(connection, text, lost);
        early.forEach((text) => hear(text));
        try {
            void this.ping(connection, subscription, lost);
            return await ended;
        } finally {
            clearTimeout(this.timer);
            this.core.lose(connection, await ended);
            subscription.close();
        }
    }

    private async channel(): Promise<string> {
        if (!this.isCluster) return CHANNEL;
        const channel = toMap(await this.node.send(['PGCACHE.HEALTH']))['near_channel'];
        if (typeof channel !== 'string') throw new Error('the node has no channel for near caches');
        return channel;
    }

    private hear(connection: Connection, text: string, lost: (reason: string) => void): void {
        try {
            this.core.hear(connection, text);
        } catch (error) {
            lost(String(error));
        }
    }

    /** Pings, again and again, and gives up a server that does not answer. */
    private async ping(connection: Connection, subscription: Subscription, lost: (reason: string) => void): Promise<void> {
        const sent = performance.now();
        const silent = setTimeout(() => lost('the server is silent'), Math.max(MIN_SILENCE, this.core.maxStaleness));
        silent.unref();
        try {
            await subscription.ping('1');
            connection.pong(sent);
        } catch (error) {
            return lost(String(error));
        } finally {
            clearTimeout(silent);
        }
        const next = () => void this.ping(connection, subscription, lost);
        this.timer = setTimeout(next, Math.min(MAX_PING, this.core.maxStaleness / 8)).unref();
    }

    private pause(ms: number): Promise<void> {
        return new Promise((resolve) => {
            this.stop = () => resolve();
            setTimeout(resolve, ms).unref();
        });
    }
}
