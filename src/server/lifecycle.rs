//! Loading and unloading the module.

use std::os::raw::c_int;
use std::sync::Arc;

use redis_module::raw;
use redis_module::{Context as CrateContext, RedisString, Status};

use super::command::Registration;
use super::context::Context;
use super::guard::{self, guard};
use super::module::{self, tell, Module};
use super::{
    alloc, client, cluster, config, environment, event_loop, info, keyspace, log as server_log, notifications,
    server_events, slot_migration, timer, wakeup,
};
use crate::clock;
use crate::settings;
use crate::settings::{KeyFile, Settings, Shared};

/// Without this the server falls back from diskless loading on replicas. No data type of ours is in it.
const OPTIONS: c_int = raw::REDISMODULE_OPTIONS_HANDLE_REPL_ASYNC_LOAD as c_int;

/// The commands that are registered under these settings.
pub type Commands = fn(&Settings) -> Vec<Registration>;

/// Called when the server loads the module: checks the settings, registers `commands`, starts `module`, subscribes. A failure
/// is a line in the server's log that names its cause.
pub fn load(ctx: &CrateContext, arguments: &[RedisString], module: &'static dyn Module, commands: Commands) -> Status {
    // SAFETY: the crate passes the context of the load under way.
    let context = unsafe { Context::new(ctx.ctx) };
    // SAFETY: a valid context during load, of which one is made and given away.
    unsafe { server_log::start(api!(RedisModule_GetDetachedThreadSafeContext)(context.as_raw())) };
    guard::log_panics();
    module::install(module);
    let arguments: Vec<String> = arguments.iter().map(RedisString::to_string_lossy).collect();
    match tell("loading", |module| start(context, &arguments, module, commands)) {
        Some(Ok(())) => return Status::Ok,
        Some(Err(reason)) => log::error!("not loaded: {reason}"),
        None => {}
    }
    cluster::stop();
    server_log::stop();
    Status::Err
}

fn start(ctx: Context<'_>, arguments: &[String], module: &dyn Module, commands: Commands) -> Result<(), String> {
    check_server(ctx)?;
    let shared = apply_settings(ctx, arguments)?;
    cluster::start(ctx);
    commands(&shared.get()).iter().try_for_each(|command| command.register(ctx))?;
    if !info::register(ctx) {
        return Err("the server refused the INFO section".into());
    }
    // Threads and subscriptions last: Redis 7.0 does not take back the subscriptions of a failed load.
    clock::start();
    wakeup::reset();
    client::reset();
    event_loop::reset();
    module.start(shared).map_err(|error| error.to_string())?;
    timer::start();
    if notifications::subscribe(ctx) && server_events::subscribe(ctx) {
        slot_migration::declare(ctx, OPTIONS);
        log::info!("pgcache {} is loaded", env!("CARGO_PKG_VERSION"));
        return Ok(());
    }
    module.stop();
    timer::stop();
    Err("the server refused an event subscription".into())
}

/// Fails for a server in which the module cannot work.
fn check_server(ctx: Context<'_>) -> Result<(), String> {
    alloc::check()?;
    if let Some(command) = keyspace::missing_command(ctx) {
        return Err(format!("this server has no command {command}, by which entries are written: see rename-command"));
    }
    // SAFETY: a valid context during load.
    unsafe { api!(RedisModule_SetModuleOptions)(ctx.as_raw(), OPTIONS) };
    Ok(())
}

/// Registers the settings with the server, which reads its configuration file meanwhile, and logs what is doubtful about them.
fn apply_settings(ctx: Context<'_>, arguments: &[String]) -> Result<Arc<Shared>, String> {
    let loaded = settings::load(arguments, environment::variables()).map_err(|error| error.to_string())?;
    let shared = Arc::new(Shared::new(loaded.settings));
    config::register(ctx, &shared)?;
    shared.get().check().map_err(|error| error.to_string())?;
    let (risks, key_file) = (shared.get().warnings(), KeyFile::of(&shared.get()).warning());
    loaded.warnings.iter().chain(&risks).chain(&key_file).for_each(|warning| log::warn!("{warning}"));
    Ok(shared)
}

/// Called by the server before it unloads the module; it does so only when no client waits.
pub fn unload(ctx: &CrateContext) -> Status {
    // SAFETY: the crate passes the context of the unload under way.
    let context = unsafe { Context::new(ctx.ctx) };
    tell("the end", |module| module.shut_down(context));
    tell("unloading", |module| module.stop());
    guard("stopping timers", timer::stop);
    cluster::stop();
    server_log::stop();
    Status::Ok
}
