// The near cache as a client uses it: its core, its listeners, and what the client itself changes.

import { type Command, type Driver, sendAll, type Settled } from '../drivers/driver.js';
import { contentOf } from './answers.js';
import { copier } from './copies.js';
import { type Moment, NearCore, type NewEntry } from './core.js';
import type { Limits } from './entries.js';
import { Listeners } from './listeners.js';
import { ALL, label, type Label } from './messages.js';
import { readVoucher, readVouchers, type Voucher } from './vouchers.js';

/** What came of one command, and of the question whether it may be kept. */
export interface Asked {
    end: Settled;
    vouched: unknown;
    began: Moment;
}

/** The near cache of one client. */
export class Near {
    readonly core: NearCore;
    readonly listeners: Listeners;

    constructor(
        limits: Limits,
        private readonly driver: Driver,
    ) {
        this.core = new NearCore(limits);
        this.listeners = new Listeners(this.core, driver);
    }

    /** Sends each command behind the question whether its answer may be kept. */
    async ask(sent: readonly { near: Command; command: Command }[]): Promise<Asked[]> {
        await this.listeners.ensure();
        const began = this.core.begin();
        const settled = await sendAll(
            this.driver,
            sent.flatMap(({ near, command }) => [near, command]),
        );
        return sent.map((_, index) => {
            const end = settled[2 * index + 1] ?? { error: new Error('nothing was answered') };
            return { end, vouched: this.vouched(settled[2 * index]), began };
        });
    }

    /** Takes an answer, whose text is `reply`, and keeps it if it may. `own` are labels by which this process itself ends it. */
    take(key: string, value: unknown, reply: string | null, { vouched, began }: Asked, own: Label[]): void {
        this.core.take(key, contentOf(reply), began, newEntry(value, readVoucher(vouched), own, reply?.length ?? 0));
    }

    /** Takes rows that were read together. */
    takeMany(keys: readonly string[], rows: readonly unknown[], { vouched, began }: Asked, own: (place: number) => Label[]): void {
        readVouchers(vouched, rows.length).forEach((voucher, place) => {
            // What nobody vouches for is not spelled only to be compared.
            const text = voucher && JSON.stringify(rows[place], asText);
            const entry = newEntry(rows[place], voucher, own(place), text?.length ?? 0);
            this.core.take(keys[place] ?? '', text && contentOf(text), began, entry);
        });
    }

    /** Forgets a row that this process has changed. */
    forgetRow(table: string, lookupKey: string): void {
        this.core.forget(label('as', table, lookupKey));
    }

    /** Forgets the results of a query whose definition this process has changed. */
    forgetQuery(name: string): void {
        this.core.forget(label('query', name));
    }

    /** Forgets what this process has flushed: tables, tags or everything. */
    forget(tables: readonly string[], tags: readonly string[]): void {
        const named = tables.flatMap((name) => [label('table', name), label('table as', name)]);
        const labels = [...named, ...tags.map((tag) => label('tag', tag))];
        this.core.forget(...(labels.length ? labels : [ALL]));
    }

    /** What the server vouches for, as long as every node that may have answered is heard. */
    private vouched(end: Settled | undefined): unknown {
        return end && 'reply' in end && this.listeners.isHeard() ? end.reply : null;
    }
}

/** The labels of a row by this process's own spelling of it. */
export function spelled(table: string, lookupKey: string): Label[] {
    return [label('as', table, lookupKey), label('table as', table)];
}

/** What is kept of an answer, if the server vouches for it. */
function newEntry(value: unknown, voucher: Voucher | undefined, own: Label[], size: number): NewEntry | undefined {
    return voucher && { make: copier(structuredClone(value)), voucher, own, size };
}

const asText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
