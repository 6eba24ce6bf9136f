// Entries: answers that are kept, the least recently used of which go first, and what ends each.

import type { Content } from './answers.js';
import type { Lease } from './leases.js';
import { ALL, type Label } from './messages.js';

/** How much a near cache keeps: so many answers, and so many bytes of their JSON. */
export interface Limits {
    entries: number;
    bytes: number;
}

/** An answer that is kept. */
export interface Entry {
    /** What makes a caller's own of it. */
    make: () => unknown;
    lease: Lease;
    /** When its own life ends. */
    ends: number;
    labels: Label[];
    size: number;
    content: Content;
}

/** All entries. */
export class Entries {
    private readonly byKey = new Map<string, Entry>();
    private readonly byLabel = new Map<Label, Set<string>>();
    bytes = 0;
    evictions = 0;

    constructor(private readonly limits: Limits) {}

    get size(): number {
        return this.byKey.size;
    }

    /** Returns an entry, and makes it the most recently used one. */
    use(key: string): Entry | undefined {
        const entry = this.byKey.get(key);
        if (entry) {
            this.byKey.delete(key);
            this.byKey.set(key, entry);
        }
        return entry;
    }

    /** What is compared of an entry. */
    contentOf(key: string): Content {
        return this.byKey.get(key)?.content;
    }

    /** Keeps an entry in the place of one under the same key; others go where there is no room. */
    add(key: string, entry: Entry): void {
        this.remove(key);
        if (entry.size > this.limits.bytes) return;
        this.byKey.set(key, entry);
        this.bytes += entry.size;
        for (const label of entry.labels) {
            const keys = this.byLabel.get(label);
            if (keys) keys.add(key);
            else this.byLabel.set(label, new Set([key]));
        }
        for (const oldest of this.byKey.keys()) {
            if (this.byKey.size <= this.limits.entries && this.bytes <= this.limits.bytes) break;
            this.remove(oldest);
            this.evictions++;
        }
    }

    /** Forgets everything that has any of these labels, and returns how many entries that were. */
    end(labels: Iterable<Label>): number {
        const before = this.byKey.size;
        for (const label of labels) {
            const keys = label === ALL ? this.byKey.keys() : (this.byLabel.get(label) ?? []);
            for (const key of [...keys]) this.remove(key);
        }
        return before - this.byKey.size;
    }

    /** The labels of the entries that have this one. */
    labelsWith(label: Label): Label[] {
        return [...(this.byLabel.get(label) ?? [])].flatMap((key) => this.byKey.get(key)?.labels ?? []);
    }

    /** Forgets an entry, if there is one. */
    remove(key: string): void {
        const entry = this.byKey.get(key);
        if (!entry) return;
        this.byKey.delete(key);
        this.bytes -= entry.size;
        for (const label of entry.labels) {
            const keys = this.byLabel.get(label);
            keys?.delete(key);
            if (keys?.size === 0) this.byLabel.delete(label);
        }
    }
}
