//! One query as PostgreSQL has described it: what it reads.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::cache::change::Changes;
use crate::engine::catalog::tables::Tables;
use crate::engine::Table;
use crate::workers::accounted::AccountedQuery;
use crate::workers::batch::Batch;
use crate::workers::SourceIndex;

/// A query that is known.
#[derive(Debug)]
pub struct Query {
    /// Where it is run.
    pub source: SourceIndex,
    /// What its cache keys start with.
    pub stem: Rc<str>,
    /// Its statement, with the relations that are accounted for.
    accounted: Arc<AccountedQuery>,
    /// Its loads.
    pub batch: Arc<Batch>,
    /// The number of the change after which it was described.
    since: u64,
    reads: RefCell<Vec<Read>>,
    /// Why its result may change without a word from PostgreSQL.
    untracked: RefCell<Vec<String>>,
}

/// A table that it reads.
#[derive(Debug)]
struct Read {
    table: u64,
    changes: Rc<Changes>,
}

impl Query {
    /// Of which nothing is known but that it can be run, and that nothing has changed since change `since`.
    pub fn new(source: SourceIndex, stem: Rc<str>, accounted: AccountedQuery, since: u64) -> Self {
        let accounted = Arc::new(accounted);
        Self {
            source,
            stem,
            batch: Batch::new(Arc::clone(&accounted)),
            accounted,
            since,
            reads: RefCell::default(),
            untracked: RefCell::default(),
        }
    }

    /// It reads `tables`, which account for `relations`.
    pub fn add(&self, tables: &[Rc<Table>], relations: &[u32], untracked: Vec<String>) {
        let mut reads = self.reads.borrow_mut();
        for table in tables {
            if reads.iter().all(|read| read.table != table.id) {
                reads.push(Read { table: table.id, changes: Rc::clone(&table.changes) });
            }
        }
        self.accounted.add(relations);
        let mut reasons = self.untracked.borrow_mut();
        for reason in untracked {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
    }

    /// Its statement.
    pub fn sql(&self) -> &str {
        &self.accounted.plan.sql
    }

    /// The number of the functions and types that there were when it was described.
    pub fn vocabulary(&self) -> i64 {
        self.accounted.vocabulary
    }

    /// Whether all of `relations` are accounted for.
    pub fn knows(&self, relations: &[u32]) -> bool {
        self.accounted.unknown(relations).is_empty()
    }

    /// How many tables it is known to read.
    pub fn reads(&self) -> usize {
        self.reads.borrow().len()
    }

    /// The last change of anything that it reads.
    pub fn last_change(&self) -> u64 {
        let reads = self.reads.borrow();
        reads.iter().map(|read| read.changes.last()).fold(self.since, u64::max)
    }

    /// Whether a table that it reads is not what it was when it was described.
    pub fn is_outdated(&self, tables: &Tables) -> bool {
        let reads = self.reads.borrow();
        reads.iter().any(|read| read.changes.redefined() > self.since || tables.by_id(read.table).is_none())
    }

    /// The tables that it reads.
    pub fn tables(&self, tables: &Tables) -> Vec<Rc<Table>> {
        self.reads.borrow().iter().filter_map(|read| tables.by_id(read.table)).collect()
    }

    /// Whether each of them is so.
    pub fn reads_only(&self, tables: &Tables, is_so: impl Fn(&Table) -> bool) -> bool {
        let is_so = |read: &Read| tables.by_id(read.table).is_some_and(|table| is_so(&table));
        self.reads.borrow().iter().all(is_so)
    }

    /// Whether PostgreSQL tells whatever changes its entries.
    pub fn is_tracked(&self, tables: &Tables) -> bool {
        self.untracked.borrow().is_empty() && self.reads_only(tables, |table| table.definition.is_watched)
    }

    /// Why its entries live by their time to live alone; empty: PostgreSQL tells whatever changes them.
    pub fn untracked(&self, tables: &Tables) -> Vec<String> {
        let mut reasons = self.untracked.borrow().clone();
        let unwatched = self.tables(tables).into_iter().filter(|table| !table.definition.is_watched);
        reasons.extend(unwatched.map(|table| format!("{} is not watched", table.name)));
        reasons
    }
}
