//! A query with the relations that are accounted for: what a run reads beside them is asked about before anyone sees its rows.

use std::sync::Arc;

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
}

impl AccountedQuery {
    /// A query of which no relation is known.
    pub fn new(plan: Arc<QueryPlan>, is_plain: bool, vocabulary: i64) -> Self {
        Self { plan, is_plain, vocabulary, relations: RwLock::default() }
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
    fn what_was_added_is_known() {
        let plan = QueryPlan { sql: "SELECT 1".into(), title: "the query".into() };
        let query = AccountedQuery::new(Arc::new(plan), false, 0);
        assert_eq!(*query.unknown(&[3, 1]), [3, 1]);
        query.add(&[3, 2]);
        query.add(&[1, 3]);
        assert_eq!(*query.unknown(&[1, 2, 3, 4]), [4]);
    }
}
