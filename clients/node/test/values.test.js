// Values both ways.
import assert from 'node:assert';
import test from 'node:test';

import { decodeJson } from 'pgcache';

import { toJson } from '../dist/esm/values.js';

test('values are spelled as PostgreSQL spells them', () => {
    const cases = [
        [{ b: 1, a: 'x' }, '{"a":"x","b":1}'],
        [12345678901234567890n, '12345678901234567890'],
        [1.5, '1.5'],
        [-0, '0'],
        [1e21, '1e21'],
        [1e-7, '1e-7'],
        [NaN, '"NaN"'],
        [-Infinity, '"-Infinity"'],
        [new Date('2024-01-02T03:04:05.500Z'), '"2024-01-02T03:04:05.5+00:00"'],
        [new Date('2024-01-02T03:04:50Z'), '"2024-01-02T03:04:50+00:00"'],
        [Buffer.from([0, 255]), '"\\\\x00ff"'],
        [[null, true, ['a']], '[null,true,["a"]]'],
        [{ '\u{10000}': 1, '\uffff': 2 }, '{"\uffff":2,"\u{10000}":1}'],
    ];
    for (const [value, json] of cases) assert.strictEqual(toJson(value), json);
    for (const wrong of [undefined, () => {}, Symbol('x'), [undefined]]) assert.throws(() => toJson(wrong), TypeError);
});

test('every number of a row is exact', () => {
    const row = decodeJson(
        '{"a":9007199254740993,"b":-1,"c":0.1,"d":12.50,"e":0.12345678901234567890,"f":1e400,"g":123456789012345678901234567890,"h":1e3,"i":"12345678901234567"}',
    );
    assert.deepStrictEqual(row, {
        a: 9007199254740993n,
        b: -1,
        c: 0.1,
        d: 12.5,
        e: '0.12345678901234567890',
        f: '1e400',
        g: 123456789012345678901234567890n,
        h: 1000,
        i: '12345678901234567',
    });
    assert.deepStrictEqual(decodeJson('{"t":"a \\"1234567890123456789\\" b","n":[1234567890123456789]}'), {
        t: 'a "1234567890123456789" b',
        n: [1234567890123456789n],
    });
    assert.deepStrictEqual(decodeJson('[1,"x",null]'), [1, 'x', null]);
});
