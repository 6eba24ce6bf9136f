// Calls: the words of one command, where it goes in a cluster, and what its reply means.

import type { Words } from './drivers/driver.js';
import type { Decoder, Row } from './json.js';
import { text, toMap, toMaps } from './maps.js';
import { toJson, type Value } from './values.js';

/** A lookup key: the columns of a primary key or of a unique index. */
export type Key = { readonly [column: string]: Value };

/** Which nodes of a cluster a command is for: that of its key, any one, or every primary. */
export type Reach = 'key' | 'one' | 'all';

/** One command. */
export interface Call<T> {
    words: Words;
    decode: (reply: unknown) => T;
    reach: Reach;
    route?: string;
    table?: string;
    /** Makes one result of those of all nodes. */
    merge?(results: Map<string, T>): T;
}

/** Options of a read. */
export interface ReadOptions {
    /** Time to live in seconds, where it is loaded. */
    ttl?: number;
    /** The position in PostgreSQL's write-ahead log that the answer must have reached. */
    minlsn?: string;
    /** `false` goes past the near cache. */
    near?: boolean;
}

/** Options of a query. */
export interface QueryOptions extends ReadOptions {
    tags?: readonly string[];
    source?: string;
}

const nothing = (): undefined => undefined;
const number = (reply: unknown): number => Number(reply);
const most = (results: Map<string, number>): number => Math.max(...results.values());

/** Returns a row's decoder, or a list's: absent rows are null. */
export function decoding(decoder: Decoder) {
    return {
        row: (reply: unknown) => (reply === null || reply === undefined ? null : (decoder(text(reply)) as Row)),
        rows: (reply: unknown) => decoder(text(reply)) as (Row | null)[],
    };
}

export type Decoding = ReturnType<typeof decoding>;

function ofRow<T>(name: string, table: string, key: string, rest: Words, decode: (reply: unknown) => T): Call<T> {
    return { words: [`PGCACHE.${name}`, table, key, ...rest], decode, reach: 'key', route: key, table };
}

function readWords({ ttl, minlsn }: ReadOptions): Words {
    return [...(ttl === undefined ? [] : [String(ttl)]), ...(minlsn === undefined ? [] : ['MINLSN', minlsn])];
}

export const read = (table: string, key: Key, options: ReadOptions, decode: Decoding) =>
    ofRow('READ', table, lookupKey(key), readWords(options), decode.row);

export const multiread = (table: string, keys: readonly string[], options: ReadOptions, decode: Decoding) => ({
    ...ofRow('MULTIREAD', table, `[${keys.join(',')}]`, readWords(options), decode.rows),
    route: keys[0] ?? '',
});

export const write = (table: string, key: Key, data: Key | null, ttl?: number) =>
    ofRow('WRITE', table, lookupKey(key), [toJson(data), ...readWords(ttl === undefined ? {} : { ttl })], nothing);

export const invalidate = (table: string, key: Key) => ofRow('INVALIDATE', table, lookupKey(key), [], nothing);

export const cacheKey = (table: string, key: Key) => ofRow('KEY', table, lookupKey(key), [], text);

// A table that is called query is no query.
export const inspect = (table: string, key: Key) =>
    ofRow('INSPECT', table.toLowerCase() === 'query' ? `"${table}"` : table, lookupKey(key), [], toMap);

/** Returns the JSON of a lookup key. @throws TypeError for a key without a column */
export function lookupKey(key: Key): string {
    if (key === null || typeof key !== 'object' || Object.keys(key).length === 0) {
        throw new TypeError('a lookup key is an object with at least one column, such as { id: 1 }');
    }
    return toJson(key);
}

/** SQL is never a name: it has at least a space or a parenthesis. */
const NAME = /^[A-Za-z0-9_.-]+$/;

/** The words that name a query and its parameters. */
function asked(query: string, params: readonly Value[]): Words {
    return [...(NAME.test(query) ? ['NAME'] : []), query, toJson(params)];
}

function queryWords({ ttl, tags = [], source, minlsn }: QueryOptions): Words {
    const lifetime = ttl === undefined ? [] : ['TTL', String(ttl)];
    const carried = tags.length ? ['TAGS', String(tags.length), ...tags] : [];
    return [...lifetime, ...carried, ...(source === undefined ? [] : ['SOURCE', source]), ...(minlsn === undefined ? [] : ['MINLSN', minlsn])];
}

export function query(name: string, params: readonly Value[], options: QueryOptions, decode: Decoding): Call<Row[]> {
    const words = ['PGCACHE.QUERY', ...asked(name, params), ...queryWords(options)];
    return { words, decode: (reply) => decode.rows(reply) as Row[], reach: 'key', route: words[2] ?? '' };
}

/** The words that ask whether a query's result may be kept. It goes where the query goes. */
export function nearQuery(call: Call<Row[]>, name: string, params: readonly Value[], { tags, source }: QueryOptions): Words {
    const options: QueryOptions = { ...(tags && { tags }), ...(source !== undefined && { source }) };
    return ['PGCACHE.NEAR', 'QUERY', call.words[2] ?? '', ...asked(name, params), ...queryWords(options)];
}

export function inspectQuery(name: string, params: readonly Value[], options: QueryOptions): Call<Record<string, unknown>> {
    const words = ['PGCACHE.INSPECT', 'QUERY', ...asked(name, params), ...queryWords(options)];
    return { words, decode: toMap, reach: 'key', route: words[2] ?? '' };
}

const all = <T>(words: Words, decode: (reply: unknown) => T, merge?: (results: Map<string, T>) => T): Call<T> => ({
    words,
    decode,
    reach: 'all',
    ...(merge && { merge }),
});
const one = <T>(words: Words, decode: (reply: unknown) => T, table?: string): Call<T> => ({
    words,
    decode,
    reach: 'one',
    ...(table !== undefined && { table }),
});

export const define = (name: string, sql: string, options: QueryOptions) => all(['PGCACHE.DEFINE', name, sql, ...queryWords(options)], nothing);
export const undefine = (name: string) => all(['PGCACHE.DEFINE', 'DEL', name], nothing);
export const definitions = () => one(['PGCACHE.DEFINE', 'LIST'], toMaps);
export const watch = (table: string) => one(['PGCACHE.WATCH', 'ADD', table], nothing, table);
export const unwatch = (table: string) => one(['PGCACHE.WATCH', 'DEL', table], nothing, table);
export const watched = () => one(['PGCACHE.WATCH', 'LIST'], toMaps);
export const watchSql = (table: string) => one(['PGCACHE.WATCH', 'SQL', table], text, table);
export const resetStats = () => all(['PGCACHE.STATS', 'RESET'], nothing);

const byNode = (results: Map<string, Record<string, unknown>>): Record<string, unknown> => Object.fromEntries(results);

export const stats = (words: Words) => all(['PGCACHE.STATS', ...words], toMap, byNode);
export const health = () => all(['PGCACHE.HEALTH'], toMap, byNode);

export const barrier = (timeoutMs?: number, source?: string) =>
    all(
        ['PGCACHE.BARRIER', ...(timeoutMs === undefined ? [] : [String(timeoutMs)]), ...(source === undefined ? [] : ['SOURCE', source])],
        number,
        most,
    );

/** What to flush: everything, tables or tags; exactly one of them. */
export interface Flush {
    all?: true;
    table?: string | readonly string[];
    tag?: string | readonly string[];
    /** Has PostgreSQL tell every server that listens to it. */
    everywhere?: boolean;
}

/** Returns names as a list. */
export function names(given: string | readonly string[] = []): readonly string[] {
    return typeof given === 'string' ? [given] : given;
}

export function flush({ all: everything, table, tag, everywhere }: Flush): Call<number> {
    if ([everything, table, tag].filter((given) => given !== undefined).length !== 1) {
        throw new TypeError('flush takes one of { all: true }, { table } and { tag }');
    }
    const what = everything ? ['ALL'] : table === undefined ? ['TAG', ...names(tag)] : ['TABLE', ...names(table)];
    return everywhere ? one(['PGCACHE.FLUSH', 'EVERYWHERE', ...what], number) : all(['PGCACHE.FLUSH', ...what], number, most);
}

