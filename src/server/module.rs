//! The module as the server tells it of what happens. It stands above this folder, and is installed here once, at load.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use super::blocked::ClientHandle;
use super::context::Context;
use super::guard::guard;
use crate::cache::info::Section;
use crate::cache::key_change::KeyChange;
use crate::cache::slot_ranges::SlotRanges;
use crate::cache::Error;
use crate::settings::Shared;

/// What the server tells a module, on its main thread. Every call is guarded: a panic in one becomes a line in the log.
pub trait Module: Debug + Sync {
    /// The module is loaded, and starts its work with these settings. A failure ends the load.
    fn start(&self, settings: Arc<Shared>) -> Result<(), Error>;

    /// The module is unloaded, and ends its threads.
    fn stop(&self);

    /// The server is about to end, or to unload the module, and can still be called.
    fn shut_down(&self, ctx: Context<'_>);

    /// Somebody has asked for a [wakeup](super::wakeup). Returns whether all is done; if not, this is called again in the next
    /// tick of the event loop.
    fn wakeup(&self, ctx: Context<'_>) -> bool;

    /// The server's own clock has ticked, as it does ten times a second or more.
    fn cron(&self, ctx: Context<'_>);

    /// A tick of the event loop is over, while [ticks are counted](super::event_loop::count_ticks).
    fn tick_ended(&self);

    /// Whether a change of `key` may matter to the module. Asked for every write of every application.
    fn may_concern(&self, key: &[u8]) -> bool;

    /// Somebody else's command, expiry or eviction has changed `key` of database 0.
    fn key_changed(&self, ctx: Context<'_>, change: KeyChange, key: &[u8]);

    /// Database 0 was emptied, or begins to be loaded.
    fn flushed(&self);

    /// Databases were swapped.
    fn swapped(&self, ctx: Context<'_>);

    /// The data set was loaded, well or not.
    fn loaded(&self, ctx: Context<'_>);

    /// The server has become a master or a replica.
    fn role_changed(&self, ctx: Context<'_>);

    /// A replica has connected or has gone. One that has connected is not in the server's list yet.
    fn replicas_changed(&self);

    /// This server, or its master, begins to import slots whole. Nothing may be written in this call.
    fn slot_import_started(&self, slots: &SlotRanges);

    /// An import of slots has ended, well or not.
    fn slot_import_ended(&self, ctx: Context<'_>, slots: &SlotRanges);

    /// A client has gone while it waited.
    fn client_gone(&self, client: ClientHandle);

    /// The module's sections of INFO.
    fn info(&self) -> Vec<Section>;
}

/// The module. It stays in its place when it is unloaded, and finds itself there when it is loaded again.
static MODULE: OnceLock<&'static dyn Module> = OnceLock::new();

/// Puts the module in its place. From now on it is told of what happens.
pub(super) fn install(module: &'static dyn Module) {
    // A second load has the same one.
    let _ = MODULE.set(module);
}

/// Tells the module of something, in the body of a callback that `what` names. `None` after a panic, and before the load.
pub(super) fn tell<T>(what: &str, body: impl FnOnce(&dyn Module) -> T) -> Option<T> {
    let module = MODULE.get()?;
    guard(what, || body(*module))
}
