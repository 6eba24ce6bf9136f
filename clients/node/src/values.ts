// Values of JavaScript as JSON, in the spelling that PostgreSQL itself has for them.

/** What a lookup key, a parameter or the data of a row may hold. */
export type Value =
    | string
    | number
    | bigint
    | boolean
    | null
    | Date
    | Uint8Array
    | readonly Value[]
    | { readonly [name: string]: Value };

/**
 * Returns the JSON of a value. Columns come in the order of their names and without spaces, as the key of a cached row has them,
 * so that a cluster client finds the node of the row.
 *
 * @throws TypeError for what has no JSON
 */
export function toJson(value: Value): string {
    switch (typeof value) {
        case 'string':
        case 'boolean':
            return JSON.stringify(value);
        case 'bigint':
            return value.toString();
        case 'number':
            return numberToJson(value);
        case 'object':
            return value === null ? 'null' : objectToJson(value);
        default:
            throw new TypeError(`a ${typeof value} has no JSON: pass what PostgreSQL's to_json would print`);
    }
}

function numberToJson(value: number): string {
    if (!Number.isFinite(value)) return JSON.stringify(String(value));
    return Object.is(value, -0) ? '0' : String(value).replace('e+', 'e');
}

function objectToJson(value: object): string {
    if (value instanceof Date) return JSON.stringify(dateToText(value));
    if (value instanceof Uint8Array) return JSON.stringify(`\\x${Buffer.from(value).toString('hex')}`);
    if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`;
    const members = Object.entries(value as Record<string, Value>).sort(([a], [b]) => byCodePoint(a, b));
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${toJson(member)}`).join(',')}}`;
}

/** Returns a moment as a timestamptz prints it in UTC: with as few digits of a fraction as it has. */
function dateToText(date: Date): string {
    return date
        .toISOString()
        .replace(/\.?0*Z$/, '')
        .concat('+00:00');
}

function byCodePoint(a: string, b: string): number {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
