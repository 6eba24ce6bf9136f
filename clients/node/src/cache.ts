// The client.

import * as calls from './calls.js';
import type { Command, Driver, Settled } from './drivers/driver.js';
import { sendAll } from './drivers/driver.js';
import { type AnyClient, driverOf } from './drivers/find.js';
import { atIndex, PGCacheError, toPGCacheError } from './errors.js';
import { type Event, type EventOptions, eventsOf } from './events.js';
import { type Decoder, decodeJson, type Row } from './json.js';
import { MISSING, type NearStats } from './near/core.js';
import type { Limits } from './near/entries.js';
import { Near, spelled } from './near/near.js';
import { Pipeline } from './pipeline.js';
import { toJson, type Value } from './values.js';

/** Options of a PGCache. */
export interface Options {
    /** Makes values of JSON text; the default keeps whole numbers of any size exact. */
    decoder?: Decoder;
    /** Keeps so many answers in this process, and listens to what has changed: docs/near-cache.md. */
    nearCache?: number | Partial<Limits>;
}

/** Options of `multiread`. */
export interface MultireadOptions extends calls.ReadOptions {
    /** The column that keys which are no objects are values of. */
    column?: string;
}

/** Reads rows and queries of PostgreSQL through pgcache. */
export class PGCache {
    private readonly driver: Driver;
    private readonly decode: calls.Decoding;
    private readonly near: Near | undefined;

    /** @param client a client of node-redis or ioredis, of one server or of a cluster; its connections are used */
    constructor(client: AnyClient, { decoder = decodeJson, nearCache }: Options = {}) {
        this.driver = driverOf(client);
        this.decode = calls.decoding(decoder);
        const limits = typeof nearCache === 'number' ? { entries: nearCache } : nearCache;
        this.near = limits && new Near({ entries: 10_000, bytes: 64 << 20, ...limits }, this.driver);
    }

    /** Returns a row, or null when PostgreSQL has no such row. */
    async read(table: string, key: calls.Key, options: calls.ReadOptions = {}): Promise<Row | null> {
        const near = this.nearFor(options);
        const entry = this.near ? rowKey(table, key) : '';
        if (!near) this.near?.core.passBy(entry);
        const found = near ? near.core.get(entry) : MISSING;
        if (found !== MISSING) return found as Row | null;
        const call = calls.read(table, key, options, this.decode);
        return !near ? this.run(call) : this.readNear(near, entry, call, ['PGCACHE.NEAR', table, call.route ?? ''], spelled(table, call.route ?? ''));
    }

    /**
     * Returns the rows of many lookup keys in their order, null for each that does not exist. A lookup key is an object, or a value of
     * `column`. In a cluster each node is asked for the rows that it has. An error of one key has that key's place as `index`.
     */
    async multiread(table: string, keys: readonly (calls.Key | Value)[], options: MultireadOptions = {}): Promise<(Row | null)[]> {
        const { column = 'id' } = options;
        const columns = keys.map((key) => (isColumns(key) ? key : { [column]: key }));
        const named = columns.map(calls.lookupKey);
        const near = this.nearFor(options);
        if (!near) columns.forEach((key) => this.near?.core.passBy(rowKey(table, key)));
        const rows = columns.map((key) => (near ? near.core.get(rowKey(table, key)) : MISSING));
        const missing = named.flatMap((_, place) => (rows[place] === MISSING ? [place] : []));
        const parts = this.parts(missing, named).map((places) => ({
            places,
            call: calls.multiread(table, places.map((place) => named[place] ?? ''), options, this.decode),
        }));
        const asked = near ? await near.ask(parts.map(({ call }) => ({ near: nearMany(call), command: call }))) : [];
        const ends = near ? asked.map(({ end }) => end) : await sendAll(this.driver, parts.map(({ call }) => call));
        parts.forEach(({ places, call }, index) => {
            const found = resultOfMany(call, places, ends[index]);
            places.forEach((place, at) => (rows[place] = found[at] ?? null));
            const keysOf = places.map((place) => rowKey(table, columns[place] ?? {}));
            const one = asked[index];
            if (near && one) near.takeMany(keysOf, found, one, (at) => spelled(table, named[places[at] ?? 0] ?? ''));
        });
        return rows as (Row | null)[];
    }

    /** Stores a row in the cache; PostgreSQL is not written. `data` is the row, or null for one that does not exist. */
    async write(table: string, key: calls.Key, data: calls.Key | null, { ttl }: { ttl?: number } = {}): Promise<void> {
        await this.run(calls.write(table, key, data, ttl));
        this.near?.forgetRow(table, toJson(key));
    }

    /** Drops a row from the cache. Call it after COMMIT; a watched table needs no call. */
    async invalidate(table: string, key: calls.Key): Promise<void> {
        await this.run(calls.invalidate(table, key));
        this.near?.forgetRow(table, toJson(key));
    }

    /** Returns the key under which the server stores a row. */
    async key(table: string, key: calls.Key): Promise<string> {
        return this.run(calls.cacheKey(table, key));
    }

    /** Returns what the cache holds for a row, and the statement that would load it. */
    async inspect(table: string, key: calls.Key): Promise<Record<string, unknown>> {
        return this.run(calls.inspect(table, key));
    }

    /** Returns the rows of a query: the name of a definition, or SQL where the server allows it. `params` are `$1`, `$2` and so on. */
    async query(query: string, params: readonly Value[] = [], options: calls.QueryOptions = {}): Promise<Row[]> {
        const call = calls.query(query, params, options, this.decode);
        const near = this.nearFor(options);
        const words = calls.nearQuery(call, query, params, options);
        const entry = JSON.stringify(words);
        if (!near) {
            this.near?.core.passBy(entry);
            return this.run(call);
        }
        const found = near.core.get(entry);
        return found === MISSING ? this.readNear(near, entry, call, words, []) : (found as Row[]);
    }

    /** Returns what the cache holds for a query, and whether changes end its result. */
    async inspectQuery(query: string, params: readonly Value[] = [], options: calls.QueryOptions = {}): Promise<Record<string, unknown>> {
        return this.run(calls.inspectQuery(query, params, options));
    }

    /** Gives a query a name, on every primary of a cluster. PostgreSQL checks it when it is asked. */
    async define(name: string, sql: string, options: { ttl?: number; tags?: readonly string[] } = {}): Promise<void> {
        await this.run(calls.define(name, sql, options));
        this.near?.forgetQuery(name);
    }

    /** Removes a definition, on every primary of a cluster. */
    async undefine(name: string): Promise<void> {
        await this.run(calls.undefine(name));
        this.near?.forgetQuery(name);
    }

    /** Returns all definitions: name, sql, ttl and tags of each. */
    async definitions(): Promise<Record<string, unknown>[]> {
        return this.run(calls.definitions());
    }

    /** Drops everything, tables or tags, on every primary of a cluster, and returns how many tables or tags it dropped. */
    async flush(what: calls.Flush): Promise<number> {
        const count = await this.run(calls.flush(what));
        this.near?.forget(calls.names(what.table), calls.names(what.tag));
        return count;
    }

    /** Has PostgreSQL tell of a table's changes. */
    async watch(table: string): Promise<void> {
        await this.run(calls.watch(table));
    }

    /** Ends that. */
    async unwatch(table: string): Promise<void> {
        await this.run(calls.unwatch(table));
    }

    /** Returns the watched tables, and how each is watched. */
    async watched(): Promise<Record<string, unknown>[]> {
        return this.run(calls.watched());
    }

    /** Returns what `watch` would run, for a DBA to run instead. */
    async watchSql(table: string): Promise<string> {
        return this.run(calls.watchSql(table));
    }

    /** Returns figures: all, or those of one table, query or command. A cluster returns a map for each primary, by its name. */
    async stats({ table, query, command }: { table?: string; query?: string; command?: string } = {}): Promise<Record<string, unknown>> {
        const given = Object.entries({ TABLE: table, QUERY: query, COMMAND: command }).filter(([, name]) => name !== undefined);
        if (given.length > 1) throw new TypeError('stats takes one of { table }, { query } and { command }');
        return this.run(calls.stats(given.flat() as string[]));
    }

    /** Has all figures begin anew. */
    async resetStats(): Promise<void> {
        await this.run(calls.resetStats());
    }

    /** Returns how the sources are. A cluster returns a map for each primary, by its name. */
    async health(): Promise<Record<string, unknown>> {
        return this.run(calls.health());
    }

    /** Waits until all changes that were committed before are applied, on every primary; returns the microseconds waited. */
    async barrier(timeoutMs?: number, { source }: { source?: string } = {}): Promise<number> {
        return this.run(calls.barrier(timeoutMs, source));
    }

    /** Returns a pipeline: many commands in one round trip, outside of MULTI so that misses load. */
    pipeline(): Pipeline {
        return new Pipeline(this.driver, this.decode);
    }

    /** Returns what happens in the cache, one event after the other, until the loop is left or `signal` is aborted. */
    events(options: EventOptions = {}): AsyncGenerator<Event, void, void> {
        return eventsOf(this.driver, options);
    }

    /** Returns figures of the near cache: hits, misses, entries, and whether it hears of changes now. */
    nearStats(): NearStats {
        if (!this.near) throw new TypeError('this cache has no near cache: new PGCache(client, { nearCache: 10_000 })');
        return this.near.core.stats();
    }

    /** Ends the near cache's connections. The client stays open. */
    close(): void {
        this.near?.listeners.close();
    }

    private nearFor({ near = true, minlsn }: calls.ReadOptions): Near | undefined {
        return near && minlsn === undefined ? this.near : undefined;
    }

    private async readNear<T>(near: Near, entry: string, call: calls.Call<T>, words: readonly string[], own: string[]): Promise<T> {
        const [asked] = await near.ask([{ near: { ...call, words }, command: call }]);
        const found = resultOf(call, asked?.end);
        if (asked && 'reply' in asked.end) near.take(entry, found, asked.end.reply === null ? null : String(asked.end.reply), asked, own);
        return found;
    }

    private parts(places: readonly number[], named: readonly string[]): number[][] {
        if (!this.driver.isCluster) return places.length ? [[...places]] : [];
        const byNode = new Map<string, number[]>();
        for (const place of places) {
            const node = this.driver.nodeOf(named[place] ?? '');
            byNode.set(node, [...(byNode.get(node) ?? []), place]);
        }
        return [...byNode.values()];
    }

    private async run<T>(call: calls.Call<T>): Promise<T> {
        if (!this.driver.isCluster || call.reach !== 'all') {
            const [end] = await sendAll(this.driver, [call]);
            return resultOf(call, end);
        }
        const nodes = await this.driver.nodes();
        const settled = await Promise.allSettled(nodes.map((node) => node.send(call.words)));
        const results = new Map<string, T>();
        settled.forEach((end, index) => {
            if (end.status === 'rejected') throw toPGCacheError(end.reason, call.table);
            results.set(nodes[index]?.name ?? '', call.decode(end.value));
        });
        return call.merge ? call.merge(results) : ([...results.values()][0] as T);
    }
}

/** Returns the key of a row's entry. Making one takes less than the JSON of the lookup key, as far as that can be. */
function rowKey(table: string, key: calls.Key): string {
    let only: string | undefined;
    for (const name in key) {
        if (only !== undefined) return `${table}\n${calls.lookupKey(key)}`;
        only = name;
    }
    const value = only === undefined ? null : key[only];
    if (value === null || typeof value === 'object') return `${table}\n${calls.lookupKey(key)}`;
    return `${table}\n${only}\n${typeof value}\n${value}`;
}

function isColumns(key: calls.Key | Value): key is calls.Key {
    return key !== null && typeof key === 'object' && !Array.isArray(key) && !(key instanceof Date) && !(key instanceof Uint8Array);
}

function nearMany(call: calls.Call<unknown>): Command {
    return { ...call, words: ['PGCACHE.NEAR', ...call.words.slice(1, 3)] };
}

function resultOf<T>(call: calls.Call<T>, end: Settled | undefined): T {
    if (!end || 'error' in end) throw toPGCacheError(end?.error, call.table);
    return call.decode(end.reply);
}

function resultOfMany<T>(call: calls.Call<T>, places: readonly number[], end: Settled | undefined): T {
    try {
        return resultOf(call, end);
    } catch (error) {
        const isOne = error instanceof PGCacheError && error.index !== undefined;
        throw isOne ? atIndex(error, places[error.index ?? 0] ?? 0) : error;
    }
}
