// Drivers: what the package needs of a client library.

/** The words of one command. */
export type Words = readonly string[];

/** A command, and the key by which a cluster's client finds its node; without one any node will do. */
export interface Command {
    words: Words;
    route?: string;
}

/** A reply, or the client's error in its place. */
export type Settled = { reply: unknown } | { error: unknown };

/** What happens on a connection that listens. */
export interface Hearer {
    message(text: string): void;
    /** The connection or its subscription has ended. */
    lost(reason: string): void;
}

/** A connection that listens. */
export interface Subscription {
    /** Sends a ping, and resolves when its answer has come. */
    ping(payload: string): Promise<unknown>;
    close(): void;
}

/** A server that listeners and commands for every primary go to. */
export interface Node {
    name: string;
    send(words: Words): Promise<unknown>;
    /** Opens a connection of its own that listens. */
    subscribe(channel: string, hearer: Hearer): Promise<Subscription>;
}

/** One client of a library. */
export interface Driver {
    readonly isCluster: boolean;
    send(command: Command): Promise<unknown>;
    /** The name of the node that owns a key. */
    nodeOf(key: string): string;
    /** The server, or every primary of a cluster. */
    nodes(): Promise<Node[]>;
}

/** Sends commands in one round trip for each node, in order, and returns what came of each. */
export async function sendAll(driver: Driver, commands: readonly Command[]): Promise<Settled[]> {
    // Libraries send at once what is asked for in one turn of the event loop.
    const sent = commands.map((command) => driver.send(command));
    return (await Promise.allSettled(sent)).map((end) => (end.status === 'fulfilled' ? { reply: end.value } : { error: end.reason as unknown }));
}
