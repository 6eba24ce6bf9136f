// Events: what happens in the cache, as the channel `pg_cache_events` tells it.

import type { Driver, Subscription } from './drivers/driver.js';

const CHANNEL = 'pg_cache_events';
const PAUSE = 500;

/** One event. */
export interface Event {
    /** `cache_hit`, `cache_load`, `source_down` and so on. */
    type: string;
    /** Milliseconds since 1970. */
    ts: number;
    source?: string;
    table?: string;
    /** The lookup key. */
    key?: Record<string, unknown>;
    query?: string;
    tag?: string;
    ttl?: number;
    reason?: string;
    duration_us?: number;
    error?: string;
}

/** Which events are wanted. */
export interface EventOptions {
    /** Only these types; without it all that the server publishes (its setting `events`). */
    types?: readonly string[];
    /** Ends the events. */
    signal?: AbortSignal;
}

/** Yields events until nobody wants more. A connection that is lost is opened again; what happens meanwhile is not told. */
export async function* eventsOf(driver: Driver, { types, signal }: EventOptions): AsyncGenerator<Event, void, void> {
    const queue: Event[] = [];
    let wake: () => void = () => {};
    const hear = (text: string) => {
        const event = read(text);
        if (event && (!types || types.includes(event.type))) queue.push(event);
        wake();
    };
    const listening = new Listening(driver, hear);
    const stop = () => wake();
    signal?.addEventListener('abort', stop);
    try {
        await listening.start();
        while (!signal?.aborted) {
            const event = queue.shift();
            if (event) yield event;
            else await new Promise<void>((resolve) => (wake = resolve));
        }
    } finally {
        signal?.removeEventListener('abort', stop);
        listening.close();
    }
}

function read(text: string): Event | undefined {
    try {
        const event = JSON.parse(text) as Event | null;
        return typeof event?.type === 'string' ? event : undefined;
    } catch {
        return undefined;
    }
}

/** One subscription of each server: a node of a cluster publishes while a client of its own listens, and all nodes' clients hear it. */
class Listening {
    private readonly open = new Map<string, Subscription>();
    private isClosed = false;

    constructor(
        private readonly driver: Driver,
        private readonly hear: (text: string) => void,
    ) {}

    async start(): Promise<void> {
        const nodes = await this.driver.nodes();
        await Promise.all(nodes.map((node, index) => this.listen(node.name, index === 0)));
    }

    close(): void {
        this.isClosed = true;
        for (const subscription of this.open.values()) subscription.close();
    }

    /** Subscribes. Of what all nodes of a cluster tell, the first connection passes on everything and the others nothing. */
    private async listen(name: string, isHeard: boolean): Promise<void> {
        const node = (await this.driver.nodes()).find((one) => one.name === name);
        if (!node || this.isClosed) return;
        const again = () => {
            if (!this.open.delete(name) || this.isClosed) return;
            setTimeout(() => void this.retry(name, isHeard), PAUSE).unref();
        };
        const message = isHeard ? this.hear : () => {};
        const subscription = await node.subscribe(CHANNEL, { message, lost: again });
        this.open.set(name, subscription);
        if (this.isClosed) subscription.close();
    }

    private async retry(name: string, isHeard: boolean): Promise<void> {
        if (this.isClosed) return;
        try {
            await this.listen(name, isHeard);
        } catch {
            setTimeout(() => void this.retry(name, isHeard), PAUSE).unref();
        }
    }
}
