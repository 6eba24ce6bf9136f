//! Plans: which statement a batch of loads is served by.

use std::sync::Arc;

use super::accounted::AccountedQuery;
use crate::postgres::rows::statement::LoadPlan;

/// A statement, with what it is for.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Loads rows by their keys.
    Rows(Arc<LoadPlan>),
    /// Runs a query, whose parameters stand in the place of a key.
    Query(Arc<AccountedQuery>),
}

impl Plan {
    /// Most keys that may share one statement, or runs that may share a transaction, where `batch_max` is the setting.
    pub fn room(&self, batch_max: usize) -> usize {
        match self {
            Self::Rows(plan) if plan.is_unique => batch_max,
            Self::Rows(_) => 1,
            Self::Query(query) => query.together().min(batch_max),
        }
    }

    /// The statement.
    pub fn sql(&self) -> &str {
        match self {
            Self::Rows(plan) => &plan.sql,
            Self::Query(query) => &query.plan.sql,
        }
    }

    /// What errors call that which it reads.
    pub fn title(&self) -> &str {
        match self {
            Self::Rows(plan) => &plan.table.display,
            Self::Query(query) => &query.plan.title,
        }
    }
}

impl From<LoadPlan> for Plan {
    fn from(plan: LoadPlan) -> Self {
        Self::Rows(Arc::new(plan))
    }
}

impl From<Arc<AccountedQuery>> for Plan {
    fn from(query: Arc<AccountedQuery>) -> Self {
        Self::Query(query)
    }
}
