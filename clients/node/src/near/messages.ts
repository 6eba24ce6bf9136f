// Messages of the channel: what a near cache has to forget, and heartbeats. See docs/near-cache.md.

/** What ends an answer: `row` with a table and a key, `any` and `table` with a table, `tag`, `query`, or ALL. */
export type Label = string;

export const ALL: Label = JSON.stringify(['all']);

/** Returns a label. */
export function label(...parts: string[]): Label {
    return JSON.stringify(parts);
}

/** One message. */
export interface Message {
    run: string;
    seq: number;
    /** What it ends; nothing for a heartbeat. */
    ends: Label[];
    /** Only a heartbeat has it: how far, in milliseconds, answers may be behind, and by source how old what was not told may be. */
    heartbeat?: { maxStaleness: number; ages: Map<string, number> };
}

interface Fields {
    run?: unknown;
    seq?: unknown;
    table?: string;
    keys?: string[];
    tag?: string;
    query?: string;
    max_staleness_ms?: number;
    sources?: Record<string, { age_ms?: number }>;
}

/** Reads a message. @throws Error for what is none */
export function readMessage(text: string): Message {
    const fields = JSON.parse(text) as Fields | null;
    if (typeof fields?.run !== 'string' || typeof fields.seq !== 'number') throw new Error(`this is no message: ${text}`);
    const { run, seq, sources, max_staleness_ms: maxStaleness } = fields;
    if (!sources || maxStaleness === undefined) return { run, seq, ends: ends(fields) };
    const ages = new Map<string, number>();
    for (const [name, { age_ms: age }] of Object.entries(sources)) if (age !== undefined) ages.set(name, age);
    return { run, seq, ends: [], heartbeat: { maxStaleness, ages } };
}

function ends({ table, keys, tag, query }: Fields): Label[] {
    if (table !== undefined && keys) return [label('any', table), ...keys.map((key) => label('row', table, key))];
    if (table !== undefined) return [label('table', table)];
    if (tag !== undefined) return [label('tag', tag)];
    // Also what nobody knows yet ends everything.
    return [query === undefined ? ALL : label('query', query)];
}
