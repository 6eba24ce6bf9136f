//! The statements that a connection has prepared.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ::postgres::Statement;

/// How many prepared statements a connection keeps.
const STATEMENTS_MAX: usize = 256;

/// How long a connection keeps a statement's plan: it was made for what its tables were then, and PostgreSQL makes it anew by
/// itself only once it has analysed them.
pub(super) const PLAN_LIFE: Duration = Duration::from_secs(10);

/// Prepared statements by their SQL.
#[derive(Default)]
pub(super) struct Statements {
    prepared: HashMap<String, Prepared>,
    /// Counts uses, to find the statement that was not used for longest.
    clock: u64,
}

struct Prepared {
    statement: Statement,
    since: Instant,
    used: u64,
}

impl Prepared {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < PLAN_LIFE
    }
}

impl Statements {
    /// Whether `sql` is prepared.
    pub fn has(&self, sql: &str) -> bool {
        self.prepared.contains_key(sql)
    }

    /// Whether `sql` is prepared, and not for too long.
    pub fn is_fresh(&self, sql: &str) -> bool {
        self.prepared.get(sql).is_some_and(Prepared::is_fresh)
    }

    /// `sql` as it was prepared, unless that is too long ago.
    pub fn find(&mut self, sql: &str) -> Option<Statement> {
        self.clock += 1;
        let prepared = self.prepared.get_mut(sql).filter(|prepared| prepared.is_fresh())?;
        prepared.used = self.clock;
        Some(prepared.statement.clone())
    }

    /// Adds `sql`, which was prepared now, in the place of the statement that was not used for longest where there are too many.
    /// The server is told of that one.
    pub fn add(&mut self, sql: &str, statement: &Statement) {
        if self.prepared.len() >= STATEMENTS_MAX {
            self.remove_oldest();
        }
        let prepared = Prepared { statement: statement.clone(), since: Instant::now(), used: self.clock };
        self.prepared.insert(sql.to_owned(), prepared);
    }

    fn remove_oldest(&mut self) {
        let oldest = self.prepared.iter().min_by_key(|(_, prepared)| prepared.used);
        if let Some(sql) = oldest.map(|(sql, _)| sql.clone()) {
            self.prepared.remove(&sql);
        }
    }

    /// Forgets `sql`.
    pub fn remove(&mut self, sql: &str) {
        self.prepared.remove(sql);
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        self.prepared.clear();
    }
}

/// 26000: no such prepared statement.
pub(super) fn is_unknown(error: &::postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code() == "26000")
}

/// The same, or 0A000: cached plan must not change result type.
pub(super) fn is_outdated(error: &::postgres::Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code(), "26000" | "0A000"))
}
