//! The host: the server that the engine runs in, as commands need it: its users, its clients, its callbacks.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

use crate::cache::key_change::KeyChange;
use crate::cache::{Error, Purpose, Reply};
use crate::engine::{Store, StoreKey};
use crate::plugins::call::CommandEnd;
use crate::plugins::Plugins;
use crate::settings::Settings;

/// A server, by the types of what it lends.
pub trait Host: Debug + Default + 'static {
    /// A key.
    type Key: StoreKey;

    /// Where a walk through the keys is.
    type Cursor: Debug + Default;

    /// Somebody whom its ACL knows.
    type User: Debug + Clone;

    /// A client that waits.
    type Client: Client;

    /// The callback under way.
    type Context<'c>: Callback<Host = Self, Key = Self::Key, Cursor = Self::Cursor>;

    /// The user that may do everything: the server itself.
    fn server_user() -> Self::User;
}

/// A client that waits. It is answered exactly once.
pub trait Client: Debug {
    /// What the server calls it when it has gone.
    type Handle: Debug + Copy + Eq + Hash;

    /// What the server calls it.
    fn handle(&self) -> Self::Handle;

    /// Answers it.
    fn answer(self, reply: Reply);
}

/// A callback of the server: its store, and the client that it is about.
pub trait Callback: Store {
    /// Whose callback it is.
    type Host: Host<Key = Self::Key>;

    /// Who sent the command.
    fn user(self) -> <Self::Host as Host>::User;

    /// The id of the client that sent the command.
    fn client_id(self) -> u64;

    /// Whether the client must not be made to wait: MULTI, scripts, calls from other modules.
    fn denies_blocking(self) -> bool;

    /// Makes the client wait; `None` where the server does not let it.
    fn block(self) -> Option<<Self::Host as Host>::Client>;

    /// The reply that `bytes` are. They are sent at once, without a copy, to a client that is still in its command.
    fn reply_with(self, bytes: &[u8], in_command: bool) -> Reply;

    /// `NOPERM` unless all of `plugins` let `user` do that with all of `keys`.
    fn may_access(
        self,
        plugins: &Plugins,
        settings: &Settings,
        user: &<Self::Host as Host>::User,
        keys: &[&Self::Key],
        purpose: Purpose,
    ) -> Result<(), Error>;

    /// Tells `plugins` that the module is at work.
    fn emit_started(self, plugins: &Plugins, settings: &Settings);

    /// Tells `plugins` that a command was answered.
    fn emit_ended(self, plugins: &Plugins, settings: &Settings, call: &CommandEnd<'_>);

    /// A key that has changed while the engine was at work, and what happened to it.
    fn take_key_change(self) -> Option<(KeyChange, Vec<u8>)>;

    /// Has the sweep go on after so long.
    fn sweep_after(self, pause: Duration);
}
