//! Loads that must see what was told: a notice may come before its transaction is visible, and nothing would drop what a load reads
//! meanwhile.

use crate::cache::flight::{CompletedFlight, RowTarget};
use crate::cache::invisible::RowScope;
use crate::cache::{FlightId, Gap, Notice, PgSnapshot, Relation, SnapshotGuard};
use crate::engine::host::Host;
use crate::engine::queries::{Query, QueryLoad};
use crate::engine::{Engine, FlightWaiter, Store, Table};
use crate::workers::SourceIndex;

impl<H: Host> Engine<H> {
    /// `notice` is told by transaction `xid`, which may not be visible yet; `None`: it is. Until [`Self::end_telling`].
    pub(super) fn begin_telling(&mut self, source: SourceIndex, xid: Option<u64>, notice: &Notice) {
        let (Some(xid), Some(freshness)) = (xid, self.freshness.leases.get_mut(source)) else { return };
        freshness.in_doubt.settle(xid);
        freshness.invisible.begin(Some(xid), self.queries.clock.next());
        match notice {
            Notice::Rows { relation, .. } | Notice::Table(relation) => {
                let oid = match relation {
                    Relation::Oid(oid) => Some(*oid),
                    Relation::Name(_) => None,
                };
                freshness.invisible.touch_relation(oid);
            }
            Notice::Definitions(oids) => oids.iter().for_each(|oid| freshness.invisible.touch_relation(Some(*oid))),
            // Nothing has changed in PostgreSQL.
            Notice::Beat(_) | Notice::Tags(_) | Notice::All => {}
        }
    }

    /// A notice has been applied.
    pub(super) fn end_telling(&mut self, source: SourceIndex) {
        if let Some(freshness) = self.freshness.leases.get_mut(source) {
            freshness.invisible.end();
        }
    }

    /// What is told has dropped a row.
    pub(super) fn touch_row(&mut self, table: &Table, lookup_key: &[u8]) {
        if let Some(freshness) = self.freshness.leases.get_mut(table.source) {
            freshness.invisible.touch_row(table.id, lookup_key);
        }
    }

    /// What is told, if anything is, has dropped a table.
    pub(super) fn touch_table(&mut self, table: &Table) {
        if let Some(freshness) = self.freshness.leases.get_mut(table.source) {
            freshness.invisible.touch_table(table.id);
        }
    }

    /// Guards a flight that begins now and loads the row of `table` with that canonical lookup key. Says whether it has to see
    /// anything.
    pub fn guard_row(&mut self, flight: FlightId, table: &Table, target: RowTarget, lookup_key: &[u8]) -> bool {
        let Some(freshness) = self.freshness.leases.get(table.source) else { return false };
        let guard = freshness.invisible.guard_row(&RowScope {
            table: table.id,
            lookup_key,
            concerns: &table.definition.concerns,
            since: table.changes.redefined(),
            is_uncertain: target.is_uncertain(),
        });
        self.guard(flight, guard)
    }

    /// The same for one that runs `query`.
    pub fn guard_query(&mut self, flight: FlightId, query: &Query) -> bool {
        let Some(freshness) = self.freshness.leases.get(query.source).filter(|known| !known.invisible.is_empty())
        else {
            return false;
        };
        let tables = query.tables(&self.catalog.tables);
        let relations = tables.iter().flat_map(|table| table.definition.concerns.iter().copied());
        let guard = freshness.invisible.guard_relations(relations);
        self.guard(flight, guard)
    }

    fn guard(&mut self, flight: FlightId, guard: Option<SnapshotGuard>) -> bool {
        let guard = guard.filter(|_| !self.settings.get().test_unguarded);
        let is_guarded = guard.is_some();
        guard.into_iter().for_each(|guard| self.loads.flights.guard(flight, guard));
        is_guarded
    }

    /// Something was loaded for a flight, after `snapshot` was taken. Says whether it shows all that was told before it began. What does
    /// not is not stored, as if the load had been superseded.
    pub fn check_guard(
        &mut self,
        completed: &mut CompletedFlight<FlightWaiter<H>>,
        load: Option<&QueryLoad>,
        snapshot: Option<&PgSnapshot>,
    ) -> bool {
        let Some(guard) = &completed.plan.guard else { return true };
        self.counters.guarded += 1;
        let holds = guard.holds(snapshot);
        if !holds {
            self.counters.not_visible += u64::from(completed.may_fill);
            completed.may_fill = false;
        }
        let table = || self.catalog.tables.by_id(completed.plan.row()?.table);
        let source = load.map(|load| load.query.source).or_else(|| Some(table()?.source));
        let freshness = source.and_then(|source| self.freshness.leases.get_mut(source));
        if let (Some(freshness), Some(snapshot)) = (freshness, snapshot) {
            freshness.invisible.learn(guard, snapshot);
        }
        holds
    }

    /// The thread that listens has asked which transactions have ended.
    pub(super) fn on_snapshot(&mut self, store: impl Store, source: SourceIndex, snapshot: &PgSnapshot) {
        let Some(freshness) = self.freshness.leases.get_mut(source) else { return };
        if freshness.invisible.look(snapshot) {
            // Whatever still runs may have been told among what was lost.
            freshness.in_doubt.begin(Gap::Overflow, snapshot);
        } else if let Some(gap) = freshness.in_doubt.ended(snapshot) {
            self.gap(store, source, gap);
        }
    }
}
