// Vouchers: what the server says of an answer that may be kept.

import { label, type Label } from './messages.js';

/** What `PGCACHE.NEAR` says of one answer. */
export interface Voucher {
    run: string;
    /** What ends it. */
    labels: Label[];
    /** The source that tells of its changes; null: nobody does. */
    source: string | null;
    /** In milliseconds, from when the server was asked; null: it does not expire. */
    ttl: number | null;
}

interface Fields {
    run: string;
    table?: string;
    key?: string | null;
    query?: string;
    tables?: string[];
    tags?: string[];
    source: string | null;
    ttl_ms: number | null;
}

/** Returns what a reply vouches for; undefined for nil and for what cannot be read. */
export function readVoucher(reply: unknown): Voucher | undefined {
    return voucher(decoded(reply) as Fields | null);
}

/** Returns what a reply vouches for, of so many answers. */
export function readVouchers(reply: unknown, count: number): (Voucher | undefined)[] {
    const all = decoded(reply);
    return Array.isArray(all) && all.length === count ? all.map((one: Fields | null) => voucher(one)) : Array<undefined>(count).fill(undefined);
}

function decoded(reply: unknown): unknown {
    if (typeof reply !== 'string' && !Buffer.isBuffer(reply)) return null;
    try {
        return JSON.parse(String(reply));
    } catch {
        return null;
    }
}

function voucher(fields: Fields | null): Voucher | undefined {
    if (typeof fields?.run !== 'string') return undefined;
    return { run: fields.run, labels: labels(fields), source: fields.source ?? null, ttl: fields.ttl_ms ?? null };
}

function labels({ table = '', key, query, tables = [], tags = [] }: Fields): Label[] {
    if (query !== undefined) {
        const read = tables.flatMap((name) => [label('any', name), label('table', name)]);
        return [label('query', query), ...tags.map((tag) => label('tag', tag)), ...read];
    }
    return [key === null || key === undefined ? label('any', table) : label('row', table, key), label('table', table)];
}
