//! One connection, prepared for loads.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ::postgres::types::ToSql;
use ::postgres::{Client, Row, RowIter, SimpleQueryMessage, Statement};

use super::connect::ConnectError;
use super::error::is_lost;

/// How many prepared statements a connection keeps.
const STATEMENTS_MAX: usize = 256;

/// How long a connection keeps a statement's plan: it was made for what its tables were then, and PostgreSQL makes it anew by
/// itself only once it has analysed them.
const PLAN_LIFE: Duration = Duration::from_secs(10);

/// What every load relies on: one spelling of each value whatever the role's or the database's defaults.
///
/// All in one message, the check for a standby included, so that it costs one round trip.
const SETUP: &str = "\
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 1;
SET bytea_output = 'hex';
SET default_transaction_read_only = on;
SELECT pg_catalog.pg_is_in_recovery()";

/// What helps but does not exist in every version or on every platform, so that a failure is no matter:
/// loads are too short for the JIT and for a plan of their own each, which would be the same one, since it does not depend on
/// the keys; and a server should notice when we die during a load.
const OPTIONAL_SETUP: &str = "\
SELECT pg_catalog.set_config(wanted.name, wanted.value, false)
FROM (VALUES
    ('jit', 'off'),
    ('plan_cache_mode', 'force_generic_plan'),
    ('client_connection_check_interval', '1000')
) AS wanted (name, value)
WHERE EXISTS (SELECT FROM pg_catalog.pg_settings AS known WHERE known.name = wanted.name)";

/// One connection to a source, with the statements that it has prepared.
pub struct Session {
    client: Client,
    statements: HashMap<String, Prepared>,
    /// Counts uses of statements, to find the one that was not used for longest.
    clock: u64,
    /// What `statement_timeout` this connection has; `None` until we set it.
    statement_timeout: Option<Duration>,
    opened: Instant,
    lost: bool,
    /// Whether a transaction was begun that has not ended yet.
    in_transaction: bool,
}

struct Prepared {
    statement: Statement,
    since: Instant,
    used: u64,
}

impl Session {
    /// Prepares a fresh connection.
    ///
    /// # Errors
    /// What PostgreSQL says, or that it is a standby.
    pub(super) fn prepare(mut client: Client) -> Result<Self, ConnectError> {
        let answers = client.simple_query(SETUP)?;
        if is_standby(&answers) {
            return Err(ConnectError::Unfit(
                "the server is a standby (pg_is_in_recovery): loads must read the primary",
            ));
        }
        match client.simple_query(OPTIONAL_SETUP) {
            Err(error) if is_lost(&error) => return Err(error.into()),
            _ => {}
        }
        Ok(Self {
            client,
            statements: HashMap::new(),
            clock: 0,
            statement_timeout: None,
            opened: Instant::now(),
            lost: false,
            in_transaction: false,
        })
    }

    /// Lets PostgreSQL cancel each later statement after `timeout` (at least 1 ms); asks it only when the
    /// connection has another one.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub fn use_statement_timeout(&mut self, timeout: Duration) -> Result<(), ::postgres::Error> {
        if self.statement_timeout != Some(timeout) {
            // 0 would mean no limit at all.
            let timeout_ms = timeout.as_millis().clamp(1, i32::MAX as u128);
            self.batch(&format!("SET statement_timeout = {timeout_ms}"))?;
            self.statement_timeout = Some(timeout);
        }
        Ok(())
    }

    /// Runs `sql`, prepared once per connection and [`PLAN_LIFE`], and returns all its rows.
    ///
    /// A statement that the server no longer knows or whose result type changed (a pooler in between, an
    /// ALTER TABLE) is prepared again and run once more.
    ///
    /// # Errors
    /// What PostgreSQL says; see [`super::error_from`].
    pub fn query(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, ::postgres::Error> {
        let was_prepared = self.statements.contains_key(sql);
        match self.query_once(sql, params) {
            Err(error) if was_prepared && is_outdated(&error) => {
                self.statements.remove(sql);
                // A type may have been dropped and made anew under the same name.
                self.client.clear_type_cache();
                self.query_once(sql, params)
            }
            result => result,
        }
    }

    /// Runs statements without parameters and throws their results away.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub fn batch(&mut self, sql: &str) -> Result<(), ::postgres::Error> {
        let result = self.client.batch_execute(sql);
        self.noted(result)
    }

    /// Whether the connection is of no more use. One that was left in a transaction is not.
    pub fn is_closed(&self) -> bool {
        self.lost || self.in_transaction || self.client.is_closed()
    }

    /// Begins a transaction by `sql`. Until [`Self::end`] has ended it the connection counts as closed to whoever gets it
    /// next, also after a panic.
    pub(super) fn begin(&mut self, sql: &str) -> Result<(), ::postgres::Error> {
        self.in_transaction = true;
        self.batch(sql)
    }

    /// Ends the transaction by `sql`, all of which succeeds or none. Returns what it answered.
    pub(super) fn end(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, ::postgres::Error> {
        let answers = self.ask(sql)?;
        self.in_transaction = false;
        Ok(answers)
    }

    /// Runs statements without parameters and returns what they answered, as texts.
    pub(super) fn ask(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, ::postgres::Error> {
        let result = self.client.simple_query(sql);
        self.noted(result)
    }

    /// Runs one statement without parameters: more are refused.
    pub(super) fn execute(&mut self, sql: &str) -> Result<(), ::postgres::Error> {
        let result = self.client.execute(sql, &[]);
        self.noted(result).map(|_| ())
    }

    /// Whether `sql` is prepared, and not for too long.
    pub(super) fn is_prepared(&self, sql: &str) -> bool {
        self.statements.get(sql).is_some_and(|prepared| prepared.since.elapsed() < PLAN_LIFE)
    }

    /// Forgets that `sql` is prepared, and the types that it needs: one may have been dropped and made anew under the same
    /// name.
    pub(super) fn forget(&mut self, sql: &str) {
        self.statements.remove(sql);
        self.client.clear_type_cache();
    }

    /// Prepares `sql`, which has to be one statement, for as long as the result lives.
    pub(super) fn prepare_once(&mut self, sql: &str) -> Result<Statement, ::postgres::Error> {
        let result = self.client.prepare(sql);
        self.noted(result)
    }

    /// Runs a statement and returns its rows as they arrive. What goes wrong with these is told to [`Self::note`].
    pub(super) fn stream<P: ToSql>(
        &mut self,
        statement: &Statement,
        params: &[P],
    ) -> Result<RowIter<'_>, ::postgres::Error> {
        let params: Vec<&dyn ToSql> = params.iter().map(|param| param as &dyn ToSql).collect();
        self.client.query_raw(statement, params)
    }

    /// Remembers when `error`, of a row that arrived, says that the connection is lost.
    pub(super) fn note(&mut self, error: &::postgres::Error) {
        self.lost |= is_lost(error);
    }

    /// When the connection was opened.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// Whether the server still answers: one round trip without a statement.
    pub(super) fn ping(&mut self) -> Result<(), ::postgres::Error> {
        self.batch("")
    }

    fn query_once(
        &mut self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, ::postgres::Error> {
        let statement = self.statement(sql)?;
        let result = self.client.query(&statement, params);
        self.noted(result)
    }

    /// `sql`, prepared once per connection and [`PLAN_LIFE`].
    pub(super) fn statement(&mut self, sql: &str) -> Result<Statement, ::postgres::Error> {
        self.clock += 1;
        let known = self.statements.get_mut(sql);
        if let Some(prepared) = known.filter(|prepared| prepared.since.elapsed() < PLAN_LIFE) {
            prepared.used = self.clock;
            return Ok(prepared.statement.clone());
        }
        let result = self.client.prepare(sql);
        let statement = self.noted(result)?;
        self.make_room();
        let prepared = Prepared { statement: statement.clone(), since: Instant::now(), used: self.clock };
        self.statements.insert(sql.to_owned(), prepared);
        Ok(statement)
    }

    /// Drops the statement that was not used for longest when there are too many; the server is told.
    fn make_room(&mut self) {
        if self.statements.len() < STATEMENTS_MAX {
            return;
        }
        let oldest = self.statements.iter().min_by_key(|(_, prepared)| prepared.used);
        if let Some(sql) = oldest.map(|(sql, _)| sql.clone()) {
            self.statements.remove(&sql);
        }
    }

    /// Remembers when a result says that the connection is lost: the client itself notices too late.
    fn noted<T>(&mut self, result: Result<T, ::postgres::Error>) -> Result<T, ::postgres::Error> {
        result.inspect_err(|error| self.note(error))
    }
}

fn is_standby(answers: &[SimpleQueryMessage]) -> bool {
    answers.iter().any(|answer| matches!(answer, SimpleQueryMessage::Row(row) if row.get(0) == Some("t")))
}

/// 26000: no such prepared statement. 0A000: cached plan must not change result type.
fn is_outdated(error: &::postgres::Error) -> bool {
    error.code().is_some_and(|code| matches!(code.code(), "26000" | "0A000"))
}
