// Errors: a class for each code.
import assert from 'node:assert';
import test from 'node:test';

import * as pgcache from 'pgcache';

import { atIndex, toPGCacheError } from '../dist/esm/errors.js';

test('each code has a class', () => {
    const cases = {
        ERR: 'PGBadArgument',
        NOPERM: 'PGNoPermission',
        PGNOTABLE: 'PGNoTable',
        PGNOCOLUMN: 'PGNoColumn',
        PGNOTUNIQUE: 'PGNotUnique',
        PGBADVALUE: 'PGBadValue',
        PGERR: 'PGRefused',
        PGDOWN: 'PGDown',
        PGTIMEOUT: 'PGTimeout',
        PGBUSY: 'PGBusy',
        PGMISS: 'PGMiss',
        READONLY: 'PGReadOnly',
        UNBLOCKED: 'PGUnblocked',
        TRYAGAIN: 'PGTryAgain',
    };
    const retryable = ['PGDown', 'PGTimeout', 'PGBusy', 'PGUnblocked', 'PGTryAgain'];
    for (const [code, name] of Object.entries(cases)) {
        const error = toPGCacheError(new Error(`${code} what it says`), 'users');
        assert(error instanceof pgcache[name] && error instanceof pgcache.PGCacheError, code);
        assert.deepStrictEqual(
            [error.name, error.code, error.text, error.table, error.retryable],
            [name, code, 'what it says', 'users', retryable.includes(name)],
        );
        assert.strictEqual(String(error), `${name}: ${code} what it says`);
    }
    assert.strictEqual(toPGCacheError(new Error('PGERR 42P01 no')).sqlstate, '42P01');
});

test('other errors stay what they are', () => {
    for (const error of [new Error('connection lost'), new Error('MOVED 1 a:1'), 'text', new Error('constructor x')]) {
        assert.strictEqual(toPGCacheError(error), error);
    }
});

test('an error of one key of many says which', () => {
    const error = toPGCacheError(new Error('PGBADVALUE the lookup key at index 2: no'), 'users');
    assert.strictEqual(error.index, 2);
    const moved = atIndex(error, 7);
    assert.deepStrictEqual([moved.index, moved.text, moved.code], [7, 'the lookup key at index 7: no', 'PGBADVALUE']);
});
