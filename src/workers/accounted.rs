//! A query with the relations that are accounted for: what a run reads beside them is asked about before anyone sees its rows.

use std::sync::Arc;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use parking_lot::RwLock;

use crate::postgres::query::QueryPlan;

/// A query on its way to workers. The main thread adds to what is known, the workers look.
#[derive(Debug)]
pub struct AccountedQuery {
    /// What is run.
    pub plan: Arc<QueryPlan>,
    /// Whether it does nothing but read the relations of its description.
    pub is_plain: bool,
    /// The number of the functions and types that there were when it was described: what was prepared with others may mean something
    /// else.
    pub vocabulary: i64,
    /// `pg_class.oid` of each relation that is accounted for, sorted.
    relations: RwLock<Vec<u32>>,
    /// How many microseconds one run took when it was last run; 0: it has not been run yet.
    run_us: AtomicU64,
}

/// Most runs in one transaction, and how long they may take together. Whoever asks first waits for all of them.
const TOGETHER_MAX: u64 = 16;
const TOGETHER_US: u64 = 10_000;

impl AccountedQuery {
    /// A query of which no relation is known.
    pub fn new(plan: Arc<QueryPlan>, is_plain: bool, vocabulary: i64) -> Self {
        Self { plan, is_plain, vocabulary, relations: RwLock::default(), run_us: AtomicU64::new(0) }
    }

    /// `count` runs took so long together.
    pub fn took(&self, elapsed: Duration, count: usize) {
        let each = elapsed.as_micros() as u64 / count.max(1) as u64;
        self.run_us.store(each.max(1), Relaxed);
    }

    /// How many runs may share a transaction: 1 unless it is plain and known to be quick.
    pub fn together(&self) -> usize {
        match self.run_us.load(Relaxed) {
            0 => 1,
            _ if !self.is_plain => 1,
            run_us => (TOGETHER_US / run_us).clamp(1, TOGETHER_MAX) as usize,
        }
    }

    /// These are accounted for as well.
    pub fn add(&self, relations: &[u32]) {
        let mut known = self.relations.write();
        known.extend_from_slice(relations);
        known.sort_unstable();
        known.dedup();
    }

    /// Those of `relations` that are not.
    pub fn unknown(&self, relations: &[u32]) -> Box<[u32]> {
        let known = self.relations.read();
        relations.iter().copied().filter(|relation| known.binary_search(relation).is_err()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_plain_and_quick_is_run_together() {
        let plan = Arc::new(QueryPlan { sql: "SELECT 1".into(), title: "the query".into() });
        let (plain, other) = (AccountedQuery::new(Arc::clone(&plan), true, 0), AccountedQuery::new(plan, false, 0));
        assert_eq!(plain.together(), 1);
        for (each_us, together) in [(0, 16), (100, 16), (2_000, 5), (6_000, 1), (1_000_000, 1)] {
            for query in [&plain, &other] {
                query.took(Duration::from_micros(each_us * 3), 3);
            }
            assert_eq!((plain.together(), other.together()), (together, 1), "{each_us}");
        }
    }

    #[test]
    fn what_was_added_is_known() {
        let plan = QueryPlan { sql: "SELECT 1".into(), title: "the query".into() };
        let query = AccountedQuery::new(Arc::new(plan), false, 0);
        assert_eq!(*query.unknown(&[3, 1]), [3, 1]);
        query.add(&[3, 2]);
        query.add(&[1, 3]);
        assert_eq!(*query.unknown(&[1, 2, 3, 4]), [4]);
    }
}
