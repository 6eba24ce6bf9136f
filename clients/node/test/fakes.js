// Clients that send nothing: they note what they are asked, and answer what they are told to.

/** A client of one server, as node-redis has them. */
export class Client {
    options = {};
    asked = [];
    subscriptions = [];

    constructor(...replies) {
        this.replies = replies;
    }

    async sendCommand(words) {
        this.asked.push(words);
        const reply = this.replies.shift();
        if (reply instanceof Error) throw reply;
        return reply;
    }

    duplicate(options) {
        const own = new Subscriber(options);
        this.subscriptions.push(own);
        return own;
    }
}

/** A connection that listens. */
export class Subscriber {
    listeners = {};
    sent = [];
    isOpen = false;
    isSilent = false;

    constructor(options) {
        this.options = options;
    }

    on(event, listener) {
        this.listeners[event] = listener;
    }

    async connect() {
        this.isOpen = true;
    }

    async subscribe(channel, listener) {
        [this.channel, this.hear] = [channel, listener];
    }

    sendCommand(words) {
        this.sent.push(words);
        return this.isSilent ? new Promise(() => {}) : Promise.resolve('pong');
    }

    destroy() {
        this.isOpen = false;
    }
}

/** A client of a cluster of two nodes: rows with an even slot belong to the first. */
export class Cluster {
    masters = [{ address: 'a:1' }, { address: 'b:2' }];
    slots = Array.from({ length: 16384 }, (_, slot) => ({ master: this.masters[slot % 2] }));
    routes = [];

    constructor(...replies) {
        this.nodes = [new Client(...replies), new Client(...replies)];
        this.any = new Client(...replies);
    }

    sendCommand(route, isReadonly, words) {
        this.routes.push(route);
        return this.any.sendCommand(words);
    }

    nodeClient(master) {
        return this.nodes[this.masters.indexOf(master)];
    }
}

/** A message of the channel, or a heartbeat. */
export function message(seq, members, run = 'r') {
    return JSON.stringify({ run, seq, ...members });
}

export function heartbeat(seq, age = 0, run = 'r') {
    return message(seq, { max_staleness_ms: 2000, sources: { default: age === null ? { suspect: 'why' } : { age_ms: age } } }, run);
}

/** What PGCACHE.NEAR answers. */
export function vouched(key = '{"id":1}', fields = {}) {
    return JSON.stringify({ run: 'r', table: 'users', key, source: 'default', ttl_ms: null, ...fields });
}
