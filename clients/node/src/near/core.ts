// The core of a near cache: what is kept, what was heard, and whether the one vouches for the other. It has no I/O.

import { Answers, type Content } from './answers.js';
import { Entries, type Limits } from './entries.js';
import { Connection, Stream } from './leases.js';
import { ALL, label, type Label, readMessage } from './messages.js';
import type { Voucher } from './vouchers.js';

/** What a lookup returns that finds nothing. */
export const MISSING = Symbol('missing');

/** So many messages are remembered for reads under way; a read that takes longer is not kept. */
const MAX_LOG = 1000;

/** When a read began: what was heard by then and on which connections, and how many answers had come. */
export interface Moment {
    position: number;
    generation: number;
    answers: number;
    at: number;
}

/** An answer that the server vouches for: what makes a caller's own of it, and the labels by which this process itself ends it. */
export interface NewEntry {
    make: () => unknown;
    voucher: Voucher;
    own: Label[];
    size: number;
}

/** Figures of a near cache. */
export interface NearStats {
    hits: number;
    misses: number;
    hitRatio: number;
    entries: number;
    bytes: number;
    evictions: number;
    invalidations: number;
    /** Messages or connections that were lost. */
    resets: number;
    /** Whether it hears of changes now. */
    live: boolean;
    /** Why not. */
    reason: string | null;
}

/** Keeps answers, and forgets them. */
export class NearCore {
    private readonly entries: Entries;
    private readonly connections = new Map<string, Connection>();
    private readonly answers = new Answers();
    private readonly log: Label[][] = [];
    private position = 0;
    private generation = 0;
    private hits = 0;
    private misses = 0;
    private invalidations = 0;
    private resets = 0;
    reason: string | null = 'no heartbeat has come yet';
    maxStaleness = 2000;

    /** @param clock milliseconds of a clock that only goes forward */
    constructor(
        limits: Limits,
        readonly clock: () => number = () => performance.now(),
    ) {
        this.entries = new Entries(limits);
    }

    /** Returns a caller's own copy of the answer that is kept under `key`, or MISSING. */
    get(key: string): unknown {
        const entry = this.entries.use(key);
        const now = this.clock();
        if (entry && now < entry.lease.until && now < entry.ends) {
            this.hits++;
            return entry.make();
        }
        this.passBy(key);
        this.misses++;
        return MISSING;
    }

    /** Forgets what is kept under `key`, as the server is asked: nobody may find it again who has seen the server's answer. */
    passBy(key: string): void {
        this.entries.remove(key);
    }

    /** The moment at which a read begins whose answer may be kept. */
    begin(): Moment {
        return { position: this.position, generation: this.generation, answers: this.answers.count, at: this.clock() };
    }

    /**
     * Takes an answer of the server, and keeps it as `entry` says if nothing was heard that ends it since the read began.
     * What is kept and differs is forgotten.
     */
    take(key: string, content: Content, began: Moment, entry?: NewEntry): void {
        const mayBeKept = this.answers.add(key, content, began.answers);
        if (content === undefined || this.entries.contentOf(key) !== content) this.entries.remove(key);
        if (entry && mayBeKept) this.keep(key, content, began, entry);
    }

    /** Forgets what this process itself has changed, under whatever spelling; reads under way are not kept. */
    forget(...labels: Label[]): void {
        const named = (one: Label) => one.startsWith('["row"') || one.startsWith('["table"');
        this.end([...labels, ...labels.flatMap((one) => this.entries.labelsWith(one).filter(named))]);
    }

    /** Enters a connection that has subscribed, in the place of an earlier one to the same node. */
    connect(name: string): Connection {
        this.drop(this.connections.get(name));
        const connection = new Connection(name);
        this.connections.set(name, connection);
        return connection;
    }

    /** A connection has ended, or is not to be relied on: forgets what it has vouched for. */
    lose(connection: Connection, reason: string): void {
        if (this.connections.get(connection.name) !== connection) return;
        this.drop(connection);
        this.connections.delete(connection.name);
        this.reason = reason;
    }

    /** Takes a message. @throws Error for what is none: the connection is to be given up then */
    hear(connection: Connection, text: string): void {
        const { run, seq, ends, heartbeat } = readMessage(text);
        let stream = connection.streams.get(run);
        if (!stream) {
            stream = new Stream(seq);
            connection.streams.set(run, stream);
            this.generation++;
        } else if (!stream.follows(seq)) {
            this.reset(run, stream);
        }
        if (!heartbeat) return this.end(ends);
        this.maxStaleness = heartbeat.maxStaleness;
        if (connection.pinged === undefined) return;
        stream.beat(heartbeat, connection.pinged);
        this.reason = null;
    }

    /** Tells whether all of these nodes are heard in time. */
    isHeard(names: readonly string[]): boolean {
        const now = this.clock();
        return names.every((name) => this.connections.get(name)?.isHeard(now));
    }

    /** Figures. */
    stats(): NearStats {
        const { hits, misses, invalidations, resets, entries } = this;
        const live = this.connections.size > 0 && this.isHeard([...this.connections.keys()]);
        return {
            hits,
            misses,
            hitRatio: hits + misses ? hits / (hits + misses) : 0,
            entries: entries.size,
            bytes: entries.bytes,
            evictions: entries.evictions,
            invalidations,
            resets,
            live,
            reason: live ? null : (this.reason ?? 'heartbeats come too late'),
        };
    }

    private keep(key: string, content: Content, began: Moment, { make, voucher, own, size }: NewEntry): void {
        const labels = [...voucher.labels, ...own, label('run', voucher.run)];
        const lease = this.stream(voucher.run)?.find(voucher.source);
        if (!lease || this.clock() >= lease.until || !this.heardAll(began, labels)) return;
        const ends = voucher.ttl === null ? Infinity : began.at + voucher.ttl;
        this.entries.add(key, { make, lease, ends, labels, size, content });
    }

    private stream(run: string): Stream | undefined {
        for (const connection of this.connections.values()) {
            const stream = connection.streams.get(run);
            if (stream) return stream;
        }
        return undefined;
    }

    private heardAll(began: Moment, labels: Label[]): boolean {
        const missed = this.position - began.position;
        if (began.generation !== this.generation || missed > this.log.length) return false;
        const recent = this.log.slice(this.log.length - missed);
        return recent.every((ends) => !ends.some((end) => end === ALL || labels.includes(end)));
    }

    private end(ends: Label[]): void {
        this.position++;
        this.log.push(ends);
        if (this.log.length > MAX_LOG) this.log.shift();
        this.invalidations += this.entries.end(ends);
    }

    private reset(run: string, stream: Stream): void {
        this.generation++;
        this.resets++;
        stream.end();
        this.entries.end([label('run', run)]);
    }

    private drop(connection: Connection | undefined): void {
        for (const [run, stream] of connection?.streams ?? []) this.reset(run, stream);
    }
}
