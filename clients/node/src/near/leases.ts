// Leases: until when answers may be served, by what was heard on which connection. Times are milliseconds of a clock that only goes forward.

import type { Message } from './messages.js';

/** Until when answers may be served. */
export interface Lease {
    until: number;
}

/** The messages of one run: their last number, and a lease for each source (null: for answers that nobody tells of). */
export class Stream {
    private readonly leases = new Map<string | null, Lease>([[null, { until: 0 }]]);

    constructor(private seq: number) {}

    /** Tells whether no message is missing before this one, and takes its number. */
    follows(seq: number): boolean {
        const isNext = seq === this.seq + 1;
        this.seq = seq;
        return isNext;
    }

    /** The lease of a source, if it was heard. */
    find(source: string | null): Lease | undefined {
        return this.leases.get(source);
    }

    /** Has nothing served until the next heartbeat. */
    end(): void {
        for (const lease of this.leases.values()) lease.until = 0;
    }

    /** Extends the leases: everything was heard that was told before `pinged`. */
    beat({ maxStaleness, ages }: NonNullable<Message['heartbeat']>, pinged: number): void {
        this.extend(null, pinged + maxStaleness);
        for (const [source, age] of ages) this.extend(source, pinged - age + maxStaleness);
    }

    private extend(source: string | null, until: number): void {
        const lease = this.leases.get(source);
        if (lease) lease.until = until;
        else this.leases.set(source, { until });
    }
}

/** One connection that listens, and the runs that are heard there. */
export class Connection {
    readonly streams = new Map<string, Stream>();
    /** When the newest ping was sent whose answer has come. */
    pinged: number | undefined;

    constructor(readonly name: string) {}

    /** The answer to a ping has come that was sent at `sent`. */
    pong(sent: number): void {
        this.pinged = Math.max(this.pinged ?? sent, sent);
    }

    /** Tells whether any run is heard there in time. */
    isHeard(now: number): boolean {
        return [...this.streams.values()].some((stream) => now < (stream.find(null)?.until ?? 0));
    }
}
