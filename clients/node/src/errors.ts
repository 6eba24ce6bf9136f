// Errors of pgcache: one class for each code.

/** What every error of pgcache is. */
export class PGCacheError extends Error {
    /** The error's first word. */
    readonly code: string = 'ERR';
    /** Whether the same command may succeed a moment later. */
    readonly retryable: boolean = false;

    /**
     * @param text what the server said, without the code
     * @param table the table that the command was about
     * @param index of an error of `multiread`: which of the keys is meant
     */
    constructor(
        readonly text: string,
        readonly table?: string,
        readonly index?: number,
    ) {
        super(text);
        this.name = new.target.name;
    }

    override toString(): string {
        return `${this.name}: ${this.code} ${this.text}`;
    }
}

/** An argument is malformed, or there is no query of that name: correct the call. */
export class PGBadArgument extends PGCacheError {}

/** The user's ACL, `allow_tables` or `query` does not allow it. */
export class PGNoPermission extends PGCacheError {
    override readonly code = 'NOPERM';
}

/** There is no such relation or source. */
export class PGNoTable extends PGCacheError {
    override readonly code = 'PGNOTABLE';
}

/** The table has no such column. */
export class PGNoColumn extends PGCacheError {
    override readonly code = 'PGNOCOLUMN';
}

/** The lookup key matches more than one row. */
export class PGNotUnique extends PGCacheError {
    override readonly code = 'PGNOTUNIQUE';
}

/** The column's type cannot hold the value. */
export class PGBadValue extends PGCacheError {
    override readonly code = 'PGBADVALUE';
}

/** PostgreSQL refuses for any other reason. */
export class PGRefused extends PGCacheError {
    override readonly code = 'PGERR';

    /** The reason, as PostgreSQL's manual lists them. */
    get sqlstate(): string {
        return this.text.split(' ', 1)[0] ?? '';
    }
}

/** There is no connection to the source. */
export class PGDown extends PGCacheError {
    override readonly code = 'PGDOWN';
    override readonly retryable = true;
}

/** PostgreSQL, or a barrier, took too long. */
export class PGTimeout extends PGCacheError {
    override readonly code = 'PGTIMEOUT';
    override readonly retryable = true;
}

/** Too many wait already. */
export class PGBusy extends PGCacheError {
    override readonly code = 'PGBUSY';
    override readonly retryable = true;
}

/** The row is not cached, and nothing can wait in MULTI, a script or a function. */
export class PGMiss extends PGCacheError {
    override readonly code = 'PGMISS';
}

/** The server is a replica: ask its master. */
export class PGReadOnly extends PGCacheError {
    override readonly code = 'READONLY';
}

/** The server became a replica while the command waited. */
export class PGUnblocked extends PGCacheError {
    override readonly code = 'UNBLOCKED';
    override readonly retryable = true;
}

/** The row's slot is being moved to another node of the cluster. */
export class PGTryAgain extends PGCacheError {
    override readonly code = 'TRYAGAIN';
    override readonly retryable = true;
}

type Kind = new (text: string, table?: string, index?: number) => PGCacheError;

const KINDS: Record<string, Kind> = {
    ERR: PGBadArgument,
    NOPERM: PGNoPermission,
    PGNOTABLE: PGNoTable,
    PGNOCOLUMN: PGNoColumn,
    PGNOTUNIQUE: PGNotUnique,
    PGBADVALUE: PGBadValue,
    PGERR: PGRefused,
    PGDOWN: PGDown,
    PGTIMEOUT: PGTimeout,
    PGBUSY: PGBusy,
    PGMISS: PGMiss,
    READONLY: PGReadOnly,
    UNBLOCKED: PGUnblocked,
    TRYAGAIN: PGTryAgain,
};

const INDEX = /(?<=lookup key at index )\d+/;

/** Returns the error of pgcache that a client's error carries, or the error itself where it is the client's or the server's. */
export function toPGCacheError(error: unknown, table?: string): unknown {
    if (!(error instanceof Error)) return error;
    const [code = '', ...rest] = error.message.split(' ');
    const Kind = Object.hasOwn(KINDS, code) ? KINDS[code] : undefined;
    if (!Kind) return error;
    const text = rest.join(' ');
    const index = INDEX.exec(text);
    const own = new Kind(text, table, index ? Number(index[0]) : undefined);
    own.cause = error;
    return own;
}

/** Returns an error of one key of many with the key's place among the caller's own keys. */
export function atIndex(error: PGCacheError, index: number): PGCacheError {
    const moved = new (error.constructor as Kind)(error.text.replace(INDEX, String(index)), error.table, index);
    moved.cause = error.cause;
    return moved;
}
