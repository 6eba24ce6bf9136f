// Maps that describe the cache: the same in RESP2 and RESP3.

// RESP2 sends maps and arrays alike, numbers with a fraction as text, and truth as 0 and 1.
const ARRAYS = new Set(['arguments', 'columns', 'keys', 'reasons', 'tables', 'tags', 'untracked', 'warnings']);
const FRACTIONS = new Set(['commands_per_second_last_minute', 'hit_ratio', 'keys_per_statement', 'share']);
const TRUTHS = new Set(['cached', 'event_trigger', 'in_flight', 'negative', 'pooler', 'stale', 'superuser', 'tracked']);

/** Returns the map that a reply is in RESP3, or spells as names and values in RESP2. */
export function toMap(reply: unknown): Record<string, unknown> {
    return Object.fromEntries(pairs(reply).map(([name, value]) => [text(name), field(text(name), value)]));
}

/** Returns the list of maps that a reply is. */
export function toMaps(reply: unknown): Record<string, unknown>[] {
    return (reply as unknown[]).map(toMap);
}

/** Returns a reply as text. */
export function text(reply: unknown): string {
    return String(reply);
}

function pairs(reply: unknown): [unknown, unknown][] {
    if (reply instanceof Map) return [...reply];
    if (!Array.isArray(reply)) return Object.entries(reply as object);
    return reply.flatMap((name: unknown, index) => (index % 2 ? [] : [[name, reply[index + 1]] as [unknown, unknown]]));
}

function field(name: string, value: unknown): unknown {
    if (value === null || value === undefined) return null;
    if (Array.isArray(value)) return ARRAYS.has(name) ? value.map(element) : toMap(value);
    if (typeof value === 'object' && !Buffer.isBuffer(value)) return toMap(value);
    if (TRUTHS.has(name)) return Boolean(Number(value));
    return FRACTIONS.has(name) ? Number(value) : Buffer.isBuffer(value) ? String(value) : value;
}

function element(value: unknown): unknown {
    return value !== null && typeof value === 'object' ? toMap(value) : value;
}
