//! Transactions that were told and may not be visible yet: what they have touched, so that no load keeps what it read without them.
//!
//! PostgreSQL writes a commit into its log before it shows the transaction to anyone, and waits for synchronous standbys in between. A
//! load that begins meanwhile reads what was there before, and no later notice would drop it.

use std::hash::BuildHasher;
use std::mem;

use foldhash::quality::RandomState;

use super::snapshot_guard::{SnapshotGuard, NEVER};
use super::PgSnapshot;

/// More of what was touched than this is not remembered: then nothing can be proven until the next snapshot.
const MAX_MARKS: usize = 100_000;

/// So much more than the last look has left has to be there before a load's snapshot is worth another one.
const WORTH_A_LOOK: usize = 64;

/// What a transaction has touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Touched {
    /// A row, by the hash of its table's number and its lookup key: two rows that share one are guarded together.
    Row(u64),
    /// All of a table, by its number.
    Table(u64),
    /// Anything of a relation, by its `pg_class.oid`.
    Relation(u32),
    /// Nobody knows what.
    Anything,
}

/// By which transaction, and when that was told.
#[derive(Debug, Clone, Copy)]
struct Mark {
    xid: u64,
    order: u64,
}

/// A row that is to be loaded.
#[derive(Debug, Clone, Copy)]
pub struct RowScope<'a> {
    /// The number of its table.
    pub table: u64,
    /// Its canonical lookup key.
    pub lookup_key: &'a [u8],
    /// `pg_class.oid` of every relation whose changes concern the table.
    pub concerns: &'a [u32],
    /// When the table became known as what it is: what was told before has not named its rows.
    pub since: u64,
    /// Whether any row of the table may be meant.
    pub is_uncertain: bool,
}

/// One source's.
#[derive(Debug, Default)]
pub struct InvisibleTransactions {
    marks: foldhash::HashMap<Touched, Vec<Mark>>,
    /// Clients choose the keys: the hash has a seed of each process.
    hasher: RandomState,
    /// How many marks there are, and how many the last look at all of them has left.
    size: (usize, usize),
    /// No mark of a relation is older than this.
    oldest: Option<u64>,
    /// What is being told.
    current: Option<Mark>,
    /// The highest number of a transaction that was told.
    highest: u64,
    /// Whether any was.
    has_told: bool,
    /// What is known to have ended.
    seen: PgSnapshot,
    /// Set while nothing can be proven: a snapshot that ends this has to reach beyond this transaction.
    blind_after: Option<u64>,
    /// Changes when another server answers, whose transactions have nothing to do with these.
    server: u64,
}

impl InvisibleTransactions {
    /// What is touched from now on is touched by transaction `xid`, which is told as change `order`; by `None`: by one that everybody
    /// sees.
    pub fn begin(&mut self, xid: Option<u64>, order: u64) {
        self.current = xid.filter(|xid| !self.seen.has_ended(*xid)).map(|xid| Mark { xid, order });
        if let Some(xid) = xid {
            self.has_told = true;
            self.highest = self.highest.max(xid);
        }
    }

    /// It is told.
    pub fn end(&mut self) {
        self.current = None;
    }

    /// A row of the table with that number, by its canonical lookup key.
    pub fn touch_row(&mut self, table: u64, lookup_key: &[u8]) {
        if self.current.is_some() {
            self.touch(Touched::Row(self.hash(table, lookup_key)));
        }
    }

    /// All of the table with that number.
    pub fn touch_table(&mut self, table: u64) {
        self.touch(Touched::Table(table));
    }

    /// Something of a relation; `None`: of which, nobody knows.
    pub fn touch_relation(&mut self, oid: Option<u32>) {
        self.touch(oid.map_or(Touched::Anything, Touched::Relation));
    }

    fn touch(&mut self, what: Touched) {
        let Some(mark) = self.current else { return };
        if matches!(what, Touched::Relation(_)) {
            self.oldest.get_or_insert(mark.order);
        }
        let marks = self.marks.entry(what).or_default();
        if marks.last().is_some_and(|last| last.xid == mark.xid) {
            return;
        }
        marks.push(mark);
        self.size.0 += 1;
        if self.size.0 > MAX_MARKS {
            self.lose();
        }
    }

    fn hash(&self, table: u64, lookup_key: &[u8]) -> u64 {
        self.hasher.hash_one((table, lookup_key))
    }

    /// Whether every load may be stored, whatever it reads: nearly always.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty() && self.blind_after.is_none()
    }

    /// Whether any transaction was ever told that may not have been visible.
    pub fn has_told(&self) -> bool {
        self.has_told
    }

    /// Which transactions the load of a row that begins now has to see; `None`: whatever it sees will do.
    pub fn guard_row(&self, row: &RowScope<'_>) -> Option<SnapshotGuard> {
        if self.is_empty() {
            return None;
        }
        let named = [Touched::Row(self.hash(row.table, row.lookup_key)), Touched::Table(row.table)];
        let mut xids: Vec<u64> = named.into_iter().flat_map(|what| self.marked(what, u64::MAX)).collect();
        let until = if row.is_uncertain { u64::MAX } else { row.since };
        if self.oldest.is_some_and(|oldest| oldest <= until) {
            xids.extend(row.concerns.iter().flat_map(|oid| self.marked(Touched::Relation(*oid), until)));
        }
        self.guard(xids)
    }

    /// The same of what reads `relations`.
    pub fn guard_relations(&self, relations: impl Iterator<Item = u32>) -> Option<SnapshotGuard> {
        if self.is_empty() {
            return None;
        }
        self.guard(relations.flat_map(|oid| self.marked(Touched::Relation(oid), u64::MAX)).collect())
    }

    /// Who has touched `what`, as was told up to change `until`.
    fn marked(&self, what: Touched, until: u64) -> impl Iterator<Item = u64> + '_ {
        let marks = self.marks.get(&what).map_or(&[][..], Vec::as_slice);
        marks.iter().filter(move |mark| mark.order <= until).map(|mark| mark.xid)
    }

    fn guard(&self, mut xids: Vec<u64>) -> Option<SnapshotGuard> {
        xids.extend(self.marked(Touched::Anything, u64::MAX));
        xids.extend(self.blind_after.map(|_| NEVER));
        xids.sort_unstable();
        xids.dedup();
        (!xids.is_empty()).then(|| SnapshotGuard::new(xids, self.server))
    }

    /// What the feed's server says of transactions, later than whatever the feed has told so far. Returns whether this is the first word
    /// after [`lose`](Self::lose): what runs at `snapshot` may have been told already.
    pub fn look(&mut self, snapshot: &PgSnapshot) -> bool {
        self.prune(snapshot);
        let sees_again = self.blind_after.is_some_and(|highest| snapshot.xmax > highest);
        if sees_again {
            self.blind_after = None;
        }
        sees_again
    }

    /// What a load saw that was guarded by `guard`.
    pub fn learn(&mut self, guard: &SnapshotGuard, snapshot: &PgSnapshot) {
        let (size, left) = self.size;
        if guard.server == self.server && size >= 2 * left + WORTH_A_LOOK {
            self.prune(snapshot);
        }
    }

    fn prune(&mut self, snapshot: &PgSnapshot) {
        let (mut size, mut oldest) = (0, None);
        self.marks.retain(|what, marks| {
            marks.retain(|mark| !snapshot.has_ended(mark.xid));
            size += marks.len();
            if matches!(what, Touched::Relation(_)) {
                oldest = marks.iter().map(|mark| mark.order).chain(oldest).min();
            }
            !marks.is_empty()
        });
        (self.size, self.oldest) = ((size, size), oldest);
        if size == 0 {
            // The memory of a busy time is given back.
            self.marks = foldhash::HashMap::default();
        }
        if snapshot.xmax >= self.seen.xmax {
            self.seen = snapshot.clone();
        }
    }

    /// What was told is not remembered, or was left out before it came here: nothing can be proven until the next look.
    pub fn lose(&mut self) {
        self.forget();
        self.blind_after = Some(self.highest);
    }

    /// Another server answers: the transactions of the former one are none of its.
    pub fn change_server(&mut self) {
        self.forget();
        (self.seen, self.highest, self.blind_after) = (PgSnapshot::default(), 0, None);
        self.server += 1;
    }

    fn forget(&mut self) {
        mem::take(&mut self.marks);
        (self.size, self.oldest) = ((0, 0), None);
    }
}

#[cfg(test)]
#[path = "invisible_tests.rs"]
mod tests;
