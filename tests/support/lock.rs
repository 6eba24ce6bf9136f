//! A table that is locked, so that every statement on it waits.

use postgres::error::SqlState;

use super::database::Database;
use super::eventually::eventually;

/// Holds the table until it is released or dropped.
pub struct Lock {
    holder: postgres::Client,
}

impl Lock {
    /// Locks these tables of `database`, a comma between them. Whoever reads catalogs meanwhile may hold one and want another.
    pub fn on(database: &Database<'_>, tables: &str) -> Self {
        let sql = format!("ROLLBACK; BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE");
        let mut holder = database.connect();
        let locked = eventually("the tables are locked", || match holder.batch_execute(&sql) {
            Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => None,
            locked => Some(locked),
        });
        locked.unwrap();
        Self { holder }
    }

    /// Waits until at least so many statements of the database stand at a lock. PostgreSQL itself says so: a client that
    /// waits for the module may be waiting for the table's definition, a worker or a connection.
    pub fn await_arrivals(&mut self, count: usize) {
        let sql = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                   WHERE d.datname = current_database() AND NOT granted";
        eventually("statements stand at the lock", || {
            let arrived: i64 = self.holder.query_one(sql, &[]).unwrap().get(0);
            (arrived >= count as i64).then_some(())
        });
    }

    /// Lets them all go on.
    pub fn release(mut self) {
        self.holder.batch_execute("COMMIT").unwrap();
    }
}
