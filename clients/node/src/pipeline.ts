// Pipelines: many commands in one round trip, with their results in the order in which they were queued.

import * as calls from './calls.js';
import { type Driver, sendAll } from './drivers/driver.js';
import { toPGCacheError } from './errors.js';
import type { Value } from './values.js';

/** Commands that wait to be sent. Every method returns the pipeline itself, and its result comes with `execute`. */
export class Pipeline {
    private queued: calls.Call<unknown>[] = [];

    constructor(
        private readonly driver: Driver,
        private readonly decode: calls.Decoding,
    ) {}

    /** Queues the read of a row; its result is the row or null. */
    read(table: string, key: calls.Key, options: calls.ReadOptions = {}): this {
        return this.queue(calls.read(table, key, options, this.decode));
    }

    /** Queues the storing of a row in the cache. */
    write(table: string, key: calls.Key, data: calls.Key | null, options: { ttl?: number } = {}): this {
        return this.queue(calls.write(table, key, data, options.ttl));
    }

    /** Queues the dropping of a row from the cache. */
    invalidate(table: string, key: calls.Key): this {
        return this.queue(calls.invalidate(table, key));
    }

    /** Queues a query, by its name or by its SQL; its result is the list of rows. */
    query(query: string, params: readonly Value[] = [], options: calls.QueryOptions = {}): this {
        return this.queue(calls.query(query, params, options, this.decode));
    }

    /** How many commands are queued. */
    get length(): number {
        return this.queued.length;
    }

    /**
     * Sends all commands and returns their results in order. Every command is run. Then the first error is thrown, or with
     * `throwErrors: false` errors stand in the places of results.
     */
    async execute({ throwErrors = true } = {}): Promise<unknown[]> {
        const queued = this.queued;
        this.queued = [];
        const settled = await sendAll(this.driver, queued);
        const results = settled.map((end, place) => {
            const call = queued[place];
            return 'error' in end ? toPGCacheError(end.error, call?.table) : call?.decode(end.reply);
        });
        const failed = settled.findIndex((end) => 'error' in end);
        if (throwErrors && failed >= 0) throw results[failed];
        return results;
    }

    private queue(call: calls.Call<unknown>): this {
        this.queued.push(call);
        return this;
    }
}
