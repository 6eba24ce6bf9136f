// Reads rows and queries of PostgreSQL through the Redis and Valkey module pgcache.

export { type MultireadOptions, type Options, PGCache } from './cache.js';
export type { Flush, Key, QueryOptions, ReadOptions } from './calls.js';
export * from './errors.js';
export type { Event, EventOptions } from './events.js';
export { type Decoder, decodeJson, type Json, type Row } from './json.js';
export type { NearStats } from './near/core.js';
export type { Limits } from './near/entries.js';
export type { Pipeline } from './pipeline.js';
export type { Value } from './values.js';
