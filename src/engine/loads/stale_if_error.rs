//! Stale-if-error: what a reader gets when a load fails although an older entry stands.

use std::rc::Rc;
use std::sync::Arc;

use crate::cache::flight::CompletedFlight;
use crate::cache::{Error, Timings};
use crate::engine::host::Host;
use crate::engine::loads::entries::{find, Found};
use crate::engine::loads::refresh::may_pass;
use crate::engine::{Engine, FlightWaiter, LoadedRow, Store};

impl<H: Host> Engine<H> {
    /// A flight has failed: everyone who waits is told so, unless an entry stands that may answer for it.
    pub fn fail_flight(
        &mut self,
        store: impl Store,
        completed: CompletedFlight<FlightWaiter<H>>,
        error: Error,
        timings: Timings,
    ) {
        if completed.plan.is_refresh {
            self.refresh_failed(store, &completed, &error);
        }
        let Some(standing) = self.standing(store, &completed, &error) else {
            return self.answer_all(completed.waiters, Err(error), timings);
        };
        let (readers, others): (Vec<_>, Vec<_>) = completed.waiters.into_iter().partition(FlightWaiter::takes_stale);
        self.counters.stale_served += readers.len() as u64;
        self.answer_all(readers, Ok(standing), timings);
        self.answer_all(others, Err(error), timings);
    }

    /// The row that was passed by because its source is suspect, where it may be served all the same.
    fn standing(
        &self,
        store: impl Store,
        completed: &CompletedFlight<FlightWaiter<H>>,
        error: &Error,
    ) -> Option<LoadedRow> {
        let grace_ms = self.settings.get().grace.as_millis() as u64;
        if grace_ms == 0 || completed.waiters.is_empty() {
            return None;
        }
        let table = self.catalog.tables.by_id(completed.plan.row()?.table)?;
        let own_key = self.catalog.aliases.find(&completed.key).unwrap_or(&completed.key);
        // A table that was dropped meanwhile has another prefix: its entries are gone, though their bytes may be here.
        if !may_stand(self.suspect_for_ms(table.source, store.monotonic_ms()), grace_ms, error)
            || table.lookup_key_in(own_key).is_none()
            || self.catalog.is_dropped(&table)
            || self.is_doubted(&table, own_key)
        {
            return None;
        }
        let Found::Row(row) = find(store, &store.key(own_key), |row| Arc::from(row)) else { return None };
        let is_renamed = own_key[..] != completed.key[..];
        let acl_key = table.lookup_key_in(own_key).filter(|_| is_renamed);
        let acl_key = acl_key.map(|lookup_key| Rc::from([&table.acl_prefix, lookup_key].concat()));
        Some(LoadedRow { row: Some(row), own_key: Some(Rc::from(own_key)), is_renamed, acl_key })
    }
}

/// Whether an entry may answer for a load that failed with `error`: within `grace_ms` after the lease of its source ran
/// out, and only for what may pass.
fn may_stand(suspect_for_ms: Option<u64>, grace_ms: u64, error: &Error) -> bool {
    suspect_for_ms.is_some_and(|suspect_for_ms| suspect_for_ms <= grace_ms) && may_pass(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::error::ErrorKind;

    #[test]
    fn an_entry_stands_within_the_grace_of_a_suspect_source_and_no_longer() {
        let down = Error::new(ErrorKind::Down, "");
        assert!(may_stand(Some(0), 5_000, &down) && may_stand(Some(5_000), 5_000, &down));
        assert!(!may_stand(Some(5_001), 5_000, &down));
        assert!(!may_stand(None, 5_000, &down), "whose source is live is answered by it alone");
    }

    #[test]
    fn an_entry_does_not_stand_against_a_refusal() {
        assert!(!may_stand(Some(0), 5_000, &Error::new(ErrorKind::NotUnique, "")));
    }
}
