//! pgcache: a Redis/Valkey module that answers reads of PostgreSQL rows from the server's own memory.

#![deny(unsafe_code)]

pub mod cache;
pub mod cdc;
pub mod clock;
pub mod commands;
pub mod engine;
#[cfg(test)]
mod folders;
pub mod http;
pub mod module;
pub mod plugins;
pub mod postgres;
#[allow(unsafe_code)]
pub mod server;
pub mod settings;
pub mod workers;

// The macro's own `RedisModule_OnLoad` and `RedisModule_OnUnload` carry no documentation.
#[allow(missing_docs, unsafe_code)]
mod entry {
    use redis_module::{Context, RedisString, Status};

    use super::commands;
    use super::module::Installed;
    use super::server::alloc::ModuleAlloc;
    use super::server::defrag::NoDefrag;
    use super::server::lifecycle::{self, unload};

    fn load(ctx: &Context, arguments: &[RedisString]) -> Status {
        lifecycle::load(ctx, arguments, &Installed, commands::registered)
    }

    redis_module::redis_module! {
        name: "pgcache",
        version: 100,
        allocator: (ModuleAlloc, ModuleAlloc),
        data_types: [NoDefrag],
        init: load,
        deinit: unload,
    }
}
