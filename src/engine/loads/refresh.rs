//! Refreshes: entries that grow old are loaded anew, without anybody waiting for it.

use std::rc::Rc;

use crate::cache::age::Ageing;
use crate::cache::flight::{CompletedFlight, Target};
use crate::cache::{Error, ErrorKind, Ttl};
use crate::engine::host::Host;
use crate::engine::loads::load_requests::{LoadRequests, RowLoad};
use crate::engine::{Engine, FlightWaiter, Store, StoreKey, Table};
use crate::workers::SourceIndex;

impl<H: Host> Engine<H> {
    /// What the settings say of entries that grow old.
    pub fn ageing(&self) -> Ageing {
        let settings = self.settings.get();
        Ageing {
            grace_ms: settings.grace.as_millis() as u64,
            ahead_percent: settings.refresh_ahead_percent,
            jitter_percent: settings.ttl_jitter_percent,
        }
    }

    /// Loads rows anew for whoever comes next, each under its own key, unless one of many things speaks against it:
    /// what was served is good enough.
    pub fn refresh<S: Store>(&mut self, store: S, table: &Rc<Table>, rows: Vec<RowLoad<S::Key>>, ttl: Option<Ttl>) {
        if rows.is_empty() || !self.may_refresh(store, table.source) {
            return;
        }
        let (now_ms, mut requests) = (store.monotonic_ms(), LoadRequests::default());
        let ttl_s = self.ttl_s(ttl);
        for RowLoad { resolved_key, values } in rows {
            if self.loads.refresh_backoff.holds(resolved_key.cache_key.as_bytes(), now_ms) {
                continue;
            }
            let target = resolved_key.target(table);
            let plan = self.plan(store, Target::Row(target), resolved_key.prefix_len, ttl_s);
            if let Some(flight) = self.loads.flights.refresh(resolved_key.cache_key.as_bytes(), plan) {
                self.counters.refreshed += 1;
                let is_guarded = self.guard_row(flight, table, target, resolved_key.lookup_key());
                let batch = resolved_key.lookup.refreshing(resolved_key.needs_postgres);
                requests.add(batch, flight, values, is_guarded);
            }
        }
        self.submit(store, table.source, requests);
    }

    /// Whether the source has time for loads that nobody waits for, and whether their rows could be stored here.
    fn may_refresh(&self, store: impl Store, source: SourceIndex) -> bool {
        let Some(active) = self.sources.get(source) else { return false };
        store.may_write().is_ok()
            && active.queue.has_time(self.settings.get().queue_limit)
            && !active.queue.is_restrained()
            && active.refuse_if_down().is_ok()
    }

    /// A refresh has failed. The entry stays for as long as the server keeps it, unless PostgreSQL says that there is
    /// no such row to be read.
    pub fn refresh_failed(&mut self, store: impl Store, completed: &CompletedFlight<FlightWaiter<H>>, error: &Error) {
        if !completed.may_fill {
            return;
        }
        if may_pass(error) {
            self.loads.refresh_backoff.add(&completed.key, store.monotonic_ms());
        } else {
            self.discard(store, &completed.key);
        }
    }
}

/// Whether a load that failed like this may succeed later: the row has not been refused as such.
pub fn may_pass(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Denied | ErrorKind::NoTable | ErrorKind::NoColumn | ErrorKind::NotUnique | ErrorKind::BadValue => {
            false
        }
        ErrorKind::Postgres(code) => code != "42501",
        ErrorKind::Malformed
        | ErrorKind::Down
        | ErrorKind::Timeout
        | ErrorKind::Busy
        | ErrorKind::ReadOnly
        | ErrorKind::TryAgain
        | ErrorKind::Miss
        | ErrorKind::Vetoed(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_may_pass_and_a_refusal_does_not() {
        for kind in [ErrorKind::Down, ErrorKind::Timeout, ErrorKind::Busy, ErrorKind::Postgres("53300".into())] {
            assert!(may_pass(&Error::new(kind, "")));
        }
        for kind in [ErrorKind::NoTable, ErrorKind::NotUnique, ErrorKind::Postgres("42501".into())] {
            assert!(!may_pass(&Error::new(kind, "")));
        }
    }
}
