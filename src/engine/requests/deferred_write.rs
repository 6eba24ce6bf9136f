//! Writes by commands, in the order that keeps stale rows out, and those that are deferred until a pause ends.

use std::borrow::Cow;
use std::rc::Rc;

use crate::cache::{Error, ErrorKind, Refusal};
use crate::engine::host::Host;
use crate::engine::loads::waiter::SharedAnswer;
use crate::engine::requests::pending_command::PendingCommand;
use crate::engine::{Engine, FlightWaiter, Store, Table};

/// A change that came due while replicas were paused, when the server aborts on a write.
pub enum DeferredWrite<H: Host> {
    /// A command that is to run.
    Command(PendingCommand<H>),
    /// A command that is to go on.
    Answer(FlightWaiter<H>, SharedAnswer),
}

impl<H: Host> std::fmt::Debug for DeferredWrite<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeferredWrite")
    }
}

impl<H: Host> Engine<H> {
    /// No flight that began before now may fill `key`, nor one whose own key nobody knows yet and might be it.
    pub fn supersede(&mut self, store: impl Store, table: &Rc<Table>, key: &[u8]) {
        let superseded =
            usize::from(self.loads.flights.supersede_key(key)) + self.loads.flights.supersede_uncertain(table.id);
        self.counters.superseded += superseded as u64;
        self.tell_near_of_key(table, key);
        table.non_unique.drop_all(store.unix_ms());
        table.changes.add(self.queries.clock.next());
    }

    /// Drops the entry under `key`: first the flights, then what is stored.
    pub fn drop_entry(&mut self, store: impl Store, table: &Rc<Table>, key: &[u8]) -> Result<(), Error> {
        self.supersede(store, table, key);
        let key = store.key(key);
        check_slot(store, &key)?;
        store.remove(&key).map_err(refused)
    }

    /// Stores an entry by the client's word: flights that began before it may not overwrite it. Returns the key under which it
    /// stands: what a change of the table drops begins an epoch by it.
    pub fn put_entry<'k>(
        &mut self,
        store: impl Store,
        table: &Rc<Table>,
        key: &'k [u8],
        value: &[u8],
        ttl_s: u32,
    ) -> Result<Cow<'k, [u8]>, Error> {
        let non_unique = table.non_unique.owns(key).then(|| table.lookup_key_in(key)).flatten();
        self.supersede(store, table, key);
        let key = non_unique.map_or(Cow::Borrowed(key), |lookup_key| Cow::Owned(table.non_unique.key_of(lookup_key)));
        check_slot(store, &store.key(&key))?;
        self.store(store, &key, value, ttl_s).map_err(refused)?;
        self.counters.writes += 1;
        Ok(key)
    }

    /// Goes on with what was held, once the pause has ended.
    pub fn run_deferred_writes(&mut self, ctx: H::Context<'_>) {
        if self.requests.deferred.is_empty() || ctx.is_paused() {
            return;
        }
        for deferred in std::mem::take(&mut self.requests.deferred) {
            match deferred {
                DeferredWrite::Command(pending) => self.run_deferred(ctx, pending),
                DeferredWrite::Answer(waiting, answered) => self.answer(ctx, waiting, &answered),
            }
        }
    }
}

fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::NotMaster => Error::new(ErrorKind::ReadOnly, "You can't write against a read only replica."),
        Refusal::Paused => Error::new(ErrorKind::Busy, "the server is failing over or paused: try again"),
        Refusal::Elsewhere => on_its_way(),
        Refusal::Refused => Error::malformed("the server refused the write: memory may be full, see maxmemory"),
    }
}

/// Fails for a key of a cluster that is not this node's, or not for long: what is done here would not be where it is looked for.
fn check_slot<S: Store>(store: S, key: &S::Key) -> Result<(), Error> {
    if !store.is_node() || store.serves(key) {
        return Ok(());
    }
    Err(on_its_way())
}

fn on_its_way() -> Error {
    Error::new(ErrorKind::TryAgain, "the slot of this key is on its way to another node, or the cluster is down")
}
