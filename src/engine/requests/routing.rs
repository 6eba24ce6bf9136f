//! Routing in a cluster: whether a lookup key came to the node of its entry.

use std::rc::Rc;

use crate::cache::slot::Slot;
use crate::cache::Error;
use crate::cache::{Answer, Timings};
use crate::engine::host::{Callback, Host};
use crate::engine::requests::pending_command::PendingCommand;
use crate::engine::{Caller, Engine, ResolvedKey, Store, StoreKey, Table, TableCommand};

impl<H: Host> Engine<H> {
    /// `ERR` for a lookup key of a cluster that was `sent` in another spelling than the one that it has in its cache key `key`: it came to
    /// another node than its entry's.
    pub fn check_routed(&mut self, store: impl Store, table: &Table, sent: &[u8], key: &[u8]) -> Result<(), Error> {
        if is_routed(store, sent, key) {
            return Ok(());
        }
        self.counters.misrouted += 1;
        let name = &table.name;
        Err(Error::malformed(if name.contains('{') {
            format!("{name}: in a cluster a table whose name holds a brace cannot be cached: read it through a view")
        } else {
            format!(
                "{name}: this key is not spelled as its entry is, so that it came to another node of the cluster: send what \
                 PGCACHE.INSPECT shows as send_as"
            )
        }))
    }

    /// Has a command wait that names keys of several slots, until it can read them all: while it runs it is bound to one. `None`: it can
    /// go on.
    pub fn go_beyond_slot(
        &mut self,
        ctx: H::Context<'_>,
        table: &Rc<Table>,
        keys: &[ResolvedKey<H::Key>],
        command: &impl TableCommand<H>,
        caller: &mut Caller<H>,
    ) -> Result<Option<Answer>, Error> {
        let is_bound = ctx.command_slot().is_some() && caller.is_in_command() && !ctx.denies_blocking();
        if !is_bound || keys.iter().all(|key| ctx.reaches(key.cache_key.as_bytes())) {
            return Ok(None);
        }
        let waiter = caller.wait(self, ctx)?;
        let pending = PendingCommand::cleared(waiter, caller, table.name.as_bytes(), command);
        self.requests.beyond.push_back((pending, table.id));
        ctx.wake();
        Ok(Some(Answer::Blocked(waiter)))
    }

    /// Runs the commands that waited to be bound to no slot.
    pub fn run_beyond(&mut self, ctx: H::Context<'_>) {
        while let Some((pending, table)) = self.requests.beyond.pop_front() {
            match self.catalog.tables.by_id(table) {
                Some(table) => {
                    let table = self.current(ctx, table);
                    self.run_pending(ctx, pending, &table, Timings::default());
                }
                // It was dropped in between: the name is asked about anew.
                None => self.run_deferred(ctx, pending),
            }
        }
    }
}

/// Whether what was `sent` as a lookup key came to the node of the cache key `key`.
pub fn is_routed(store: impl Store, sent: &[u8], key: &[u8]) -> bool {
    !store.is_node() || Slot::of(sent) == Slot::of(key)
}
