// Finds the driver of a client.

import type { Driver } from './driver.js';
import { type IoCluster, type IoRedis, IoRedisCluster, IoRedisDriver } from './ioredis.js';
import { NodeRedis, NodeRedisCluster, type RedisClient, type RedisCluster } from './node_redis.js';

/** A client of node-redis or ioredis, of one server or of a cluster. */
export type AnyClient = object;

/** Returns the driver of a client. @throws TypeError for what is no client of these libraries */
export function driverOf(client: AnyClient): Driver {
    const has = (name: string) => name in client;
    if (has('sendCommand') && has('masters')) return new NodeRedisCluster(client as RedisCluster);
    if (has('refreshSlotsCache')) return new IoRedisCluster(client as IoCluster);
    if (has('call') && has('duplicate')) return new IoRedisDriver(client as IoRedis);
    if (has('sendCommand')) return new NodeRedis(client as RedisClient);
    throw new TypeError('this is no client of node-redis or ioredis');
}
