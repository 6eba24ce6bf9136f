//! Events of the server: its clock tick, clients that come and go, flushed and swapped databases, loading, change of role, its end.

use std::os::raw::{c_int, c_void};

use redis_module::raw::{self, RedisModuleClientInfo, RedisModuleCtx, RedisModuleEvent, RedisModuleFlushInfo};

use super::client;
use super::context::Context;
use super::module::tell;

/// Each event with the version of its data that we read.
const EVENTS: [u64; 9] = [
    raw::REDISMODULE_EVENT_CRON_LOOP,
    raw::REDISMODULE_EVENT_CLIENT_CHANGE,
    raw::REDISMODULE_EVENT_FLUSHDB,
    raw::REDISMODULE_EVENT_SWAPDB,
    raw::REDISMODULE_EVENT_LOADING,
    raw::REDISMODULE_EVENT_REPL_ASYNC_LOAD,
    raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED,
    raw::REDISMODULE_EVENT_REPLICA_CHANGE,
    raw::REDISMODULE_EVENT_SHUTDOWN,
];

/// Subscribes to every event we act on.
pub(super) fn subscribe(ctx: Context<'_>) -> bool {
    EVENTS.into_iter().all(|id| {
        let event = RedisModuleEvent { id, dataver: 1 };
        // SAFETY: a valid context during load.
        let status = unsafe { api!(RedisModule_SubscribeToServerEvent)(ctx.as_raw(), event, Some(on_event)) };
        status == raw::REDISMODULE_OK as c_int
    })
}

unsafe extern "C" fn on_event(ctx: *mut RedisModuleCtx, event: RedisModuleEvent, subevent: u64, data: *mut c_void) {
    // SAFETY: the server passes a valid context for the time of this call.
    let ctx = unsafe { Context::new(ctx) };
    tell("a server event", |module| match event.id {
        raw::REDISMODULE_EVENT_CRON_LOOP => module.cron(ctx),
        raw::REDISMODULE_EVENT_CLIENT_CHANGE => {
            // SAFETY: the data of this event, alive for the time of this call.
            if let Some(info) = unsafe { data.cast::<RedisModuleClientInfo>().as_ref() } {
                client::changed(subevent, info);
            }
        }
        raw::REDISMODULE_EVENT_FLUSHDB => {
            // SAFETY: the data of this event, alive for the time of this call.
            let database = unsafe { data.cast::<RedisModuleFlushInfo>().as_ref() }.map(|info| info.dbnum);
            // -1 stands for all databases.
            if database.is_none_or(|database| database <= 0) {
                module.flushed();
            }
        }
        raw::REDISMODULE_EVENT_SWAPDB => module.swapped(ctx),
        raw::REDISMODULE_EVENT_LOADING | raw::REDISMODULE_EVENT_REPL_ASYNC_LOAD if is_over(event.id, subevent) => {
            module.loaded(ctx);
        }
        raw::REDISMODULE_EVENT_REPLICATION_ROLE_CHANGED => module.role_changed(ctx),
        raw::REDISMODULE_EVENT_REPLICA_CHANGE => module.replicas_changed(),
        raw::REDISMODULE_EVENT_SHUTDOWN => module.shut_down(ctx),
        _ => module.flushed(),
    });
}

/// Whether a load has ended, well or not, rather than begun.
fn is_over(event: u64, subevent: u64) -> bool {
    if event == raw::REDISMODULE_EVENT_REPL_ASYNC_LOAD {
        return subevent != raw::REDISMODULE_SUBEVENT_REPL_ASYNC_LOAD_STARTED;
    }
    matches!(subevent, raw::REDISMODULE_SUBEVENT_LOADING_ENDED | raw::REDISMODULE_SUBEVENT_LOADING_FAILED)
}
