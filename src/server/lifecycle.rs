//! Loading and unloading the module.

use std::os::raw::c_int;
use std::sync::Arc;

use redis_module::raw;
use redis_module::{Context as CrateContext, RedisString, Status};

use super::command::Registration;
use super::context::Context;
use super::guard::{self, guard};
use super::{
    bell, client, clock, config, environment, info, keyspace, log as server_log, notifications,
    server_events, timer, turn,
};
use crate::commands;
use crate::engine::{self, Engine};
use crate::settings::{self, KeyFile, Shared};

/// Called by the server when it loads the module: checks the settings, registers, starts the threads,
/// subscribes. A failure is a line in the server's log that names its cause.
pub fn load(ctx: &CrateContext, arguments: &[RedisString]) -> Status {
    // SAFETY: the crate passes the context of the load under way.
    let context = unsafe { Context::new(ctx.ctx) };
    // SAFETY: a valid context during load, of which one is made and given away.
    unsafe { server_log::start(api!(RedisModule_GetDetachedThreadSafeContext)(context.as_raw())) };
    guard::log_panics();
    let arguments: Vec<String> = arguments.iter().map(RedisString::to_string_lossy).collect();
    match guard("loading", || start(context, &arguments)) {
        Some(Ok(())) => return Status::Ok,
        Some(Err(reason)) => log::error!("not loaded: {reason}"),
        None => {}
    }
    server_log::stop();
    Status::Err
}

fn start(ctx: Context<'_>, arguments: &[String]) -> Result<(), String> {
    if ctx.flags().is_cluster() {
        return Err(
            "cluster mode is not supported yet: entries and lookup keys could fall into different slots"
                .into(),
        );
    }
    if let Some(command) = keyspace::missing_command(ctx) {
        return Err(format!(
            "this server has no command {command}, by which entries are written: see rename-command"
        ));
    }
    let loaded = settings::load(arguments, environment::variables()).map_err(|error| error.to_string())?;
    let shared = Arc::new(Shared::new(loaded.settings));
    // Without this the server falls back from diskless loading on replicas. No data type of ours is in it.
    // SAFETY: a valid context during load.
    unsafe {
        api!(RedisModule_SetModuleOptions)(
            ctx.as_raw(),
            raw::REDISMODULE_OPTIONS_HANDLE_REPL_ASYNC_LOAD as c_int,
        )
    };
    config::register(ctx, &shared)?;
    shared.get().check().map_err(|error| error.to_string())?;
    loaded
        .warnings
        .iter()
        .chain(&KeyFile::of(&shared.get()).warning())
        .for_each(|warning| log::warn!("{warning}"));
    register_commands(ctx, shared.get().test_hooks)?;
    if !info::register(ctx) {
        return Err("the server refused the INFO section".into());
    }
    // Threads and subscriptions last: Redis 7.0 does not take back the subscriptions of a failed load.
    clock::start();
    bell::reset();
    client::reset();
    turn::reset();
    let started = Engine::start(shared, Arc::new(bell::ring)).map_err(|error| error.to_string())?;
    engine::install(started);
    timer::start();
    if notifications::subscribe(ctx) && server_events::subscribe(ctx) {
        log::info!("pgcache {} is loaded", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    engine::uninstall();
    timer::stop();
    Err("the server refused an event subscription".into())
}

fn register_commands(ctx: Context<'_>, test_hooks: bool) -> Result<(), String> {
    commands::all().iter().try_for_each(|command| command.register(ctx))?;
    if test_hooks {
        Registration::of::<commands::panic::Panic>().register(ctx)?;
    }
    Ok(())
}

/// Called by the server before it unloads the module; it does so only when no client waits.
pub fn unload(ctx: &CrateContext) -> Status {
    // SAFETY: the crate passes the context of the unload under way.
    let context = unsafe { Context::new(ctx.ctx) };
    guard("the end", || engine::hooks::shut_down(context));
    guard("unloading", engine::uninstall);
    guard("stopping timers", timer::stop);
    server_log::stop();
    Status::Ok
}
