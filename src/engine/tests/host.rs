//! The host of the unit tests: users, clients and callbacks over the in-memory store.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::memory::Memory;
use crate::cache::key_change::KeyChange;
use crate::cache::{Error, ErrorKind, Purpose, Reply, Timings};
use crate::engine::host::{Callback, Client, Host};
use crate::plugins::call::CommandEnd;
use crate::plugins::Plugins;
use crate::settings::Settings;

/// It.
#[derive(Debug, Default)]
pub struct MemoryHost;

/// A key.
type Key = Box<[u8]>;

/// What clients were answered, each by its number.
pub type Replies = Rc<RefCell<Vec<(u64, Reply)>>>;

/// What the store's host knows of its clients.
#[derive(Debug, Default)]
pub struct Clients {
    /// Whose command is under way; empty: the server's own.
    pub user: RefCell<&'static str>,
    /// Whether commands come in MULTI.
    pub is_in_multi: Cell<bool>,
    /// What the ACL lets nobody use but the server: cache keys that begin like this.
    pub forbidden: RefCell<Option<Vec<u8>>>,
    /// What those were answered who have waited.
    pub replies: Replies,
    /// Commands that were answered.
    pub ended: RefCell<Vec<Ended>>,
    /// Keys that changed while the engine was at work.
    pub key_changes: RefCell<VecDeque<(KeyChange, Vec<u8>)>>,
    /// Whether the sweep is to go on.
    pub sweeps: Cell<bool>,
    last: Cell<u64>,
}

/// A command that was answered.
#[derive(Debug)]
pub struct Ended {
    /// Its name.
    pub command: &'static str,
    /// The code of its error.
    pub error: Option<String>,
    /// Where its time went.
    pub timings: Option<Timings>,
}

/// A client that waits.
#[derive(Debug)]
pub struct MemoryClient {
    number: u64,
    replies: Replies,
    is_answered: bool,
}

impl Client for MemoryClient {
    type Handle = u64;

    fn handle(&self) -> u64 {
        self.number
    }

    fn answer(mut self, reply: Reply) {
        self.is_answered = true;
        self.replies.borrow_mut().push((self.number, reply));
    }
}

impl Drop for MemoryClient {
    fn drop(&mut self) {
        if !self.is_answered {
            let lost = Error::malformed("the answer was lost");
            self.replies.borrow_mut().push((self.number, Reply::Error(lost)));
        }
    }
}

impl Host for MemoryHost {
    type Key = Key;
    type Cursor = Option<Key>;
    type User = &'static str;
    type Client = MemoryClient;
    type Context<'c> = &'c Memory;

    fn server_user() -> &'static str {
        ""
    }
}

impl Callback for &Memory {
    type Host = MemoryHost;

    fn user(self) -> &'static str {
        *self.clients.user.borrow()
    }

    fn client_id(self) -> u64 {
        self.clients.last.get()
    }

    fn denies_blocking(self) -> bool {
        self.clients.is_in_multi.get()
    }

    fn block(self) -> Option<MemoryClient> {
        let number = self.clients.last.get() + 1;
        self.clients.last.set(number);
        Some(MemoryClient { number, replies: Rc::clone(&self.clients.replies), is_answered: false })
    }

    fn reply_with(self, bytes: &[u8], _: bool) -> Reply {
        Reply::Bulk(bytes.into())
    }

    fn may_access(
        self,
        _: &Plugins,
        _: &Settings,
        user: &&'static str,
        keys: &[&Key],
        _: Purpose,
    ) -> Result<(), Error> {
        let forbidden = self.clients.forbidden.borrow();
        let is_forbidden = |key: &&Key| forbidden.as_ref().is_some_and(|start| key.starts_with(start));
        if user.is_empty() || !keys.iter().any(is_forbidden) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Denied, "the ACL says no"))
    }

    fn emit_started(self, _: &Plugins, _: &Settings) {}

    fn emit_ended(self, _: &Plugins, _: &Settings, call: &CommandEnd<'_>) {
        let CommandEnd { command, error, timings, .. } = *call;
        self.clients.ended.borrow_mut().push(Ended { command, error: error.map(Into::into), timings });
    }

    fn take_key_change(self) -> Option<(KeyChange, Vec<u8>)> {
        self.clients.key_changes.borrow_mut().pop_front()
    }

    fn sweep_after(self, _: Duration) {
        self.clients.sweeps.set(true);
    }
}
