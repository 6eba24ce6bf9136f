//! pgcache: a Redis/Valkey module that answers reads of PostgreSQL rows from the server's own memory.

pub mod cache;
pub mod cdc;
pub mod commands;
pub mod engine;
pub mod http;
pub mod plugins;
pub mod postgres;
pub mod server;
pub mod settings;
pub mod workers;

// The macro's own `RedisModule_OnLoad` and `RedisModule_OnUnload` carry no documentation.
#[allow(missing_docs)]
mod module {
    use super::server::alloc::ModuleAlloc;
    use super::server::lifecycle::{load, unload};

    redis_module::redis_module! {
        name: "pgcache",
        version: 100,
        allocator: (ModuleAlloc, ModuleAlloc),
        data_types: [],
        init: load,
        deinit: unload,
    }
}
