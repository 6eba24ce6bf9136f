// JSON of rows, with every number as PostgreSQL has printed it.

import { randomUUID } from 'node:crypto';

/** What a column of a row may be. A number that a double cannot hold is a bigint, or with a fraction the text of its digits. */
export type Json = string | number | bigint | boolean | null | Json[] | { [name: string]: Json };

/** A row: its columns by name. */
export type Row = { [column: string]: Json };

/** Makes values of JSON text. */
export type Decoder = (text: string) => unknown;

const MAY_BE_LONG = /[\d.]{16}|[eE][+-]?\d/;
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** Begins the texts that stand for numbers: no data can hold it. */
const MARK = `\u0001${randomUUID()}:`;
const WRITTEN_MARK = JSON.stringify(MARK).slice(1, -1);

/** Returns the value of JSON text. Whole numbers of any size are exact: those that a double cannot hold are `bigint`. */
export function decodeJson(text: string): Json {
    if (!MAY_BE_LONG.test(text)) return JSON.parse(text) as Json;
    const marked = text.replace(TOKENS, (token) => (token.startsWith('"') || isExact(token) ? token : `"${WRITTEN_MARK}${token}"`));
    return JSON.parse(marked, (_, value: unknown) => (typeof value === 'string' && value.startsWith(MARK) ? long(value) : value)) as Json;
}

/** Tells whether a double holds a number as it is written, but for zeros at its end. */
function isExact(token: string): boolean {
    const digits = (written: string) => written.replace(/[eE].*$/, '').replace(/^-?0*\.?0*|\./g, '').replace(/0+$/, '');
    const number = Number(token);
    if (/^-?\d+$/.test(token)) return Number.isSafeInteger(number);
    return Number.isFinite(number) && digits(token) === digits(String(number));
}

function long(value: string): bigint | string {
    const digits = value.slice(MARK.length);
    return /^-?\d+$/.test(digits) ? BigInt(digits) : digits;
}
