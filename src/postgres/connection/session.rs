//! One connection, prepared for loads.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::postgres::types::ToSql;
use ::postgres::{Row, SimpleQueryMessage, Statement};

use super::client::{Client, OnRows, Parts, Pulse, Request, What};
use super::connect::ConnectError;
use super::isolation;
use super::setup::{set_up, setting_of, Kind, LOCAL_SETTINGS, SETTINGS};
use super::statements::{is_outdated, is_unknown, Statements};
use super::typed::typed;
use crate::postgres::error::is_lost;

/// Longer than its `statement_timeout` a statement may take for the way and for ending: then its connection is given up. Functions
/// can go on after a timeout.
const STATEMENT_MARGIN: Duration = Duration::from_secs(2);

/// Why a standby is of no use.
const STANDBY: &str = "the server is a standby (pg_is_in_recovery): loads must read the primary";

/// One connection to a source, with the statements that it has prepared.
pub struct Session {
    client: Client,
    statements: Statements,
    /// What `statement_timeout` this connection has; `None` until we set it.
    statement_timeout: Option<Duration>,
    opened: Instant,
    lost: bool,
    /// Whether a transaction was begun that has not ended yet.
    in_transaction: bool,
    /// Whether its server process is others' too: what it needs is set in each transaction, and nothing outlives that.
    is_shared: bool,
    /// Whether a statement was prepared since the last transaction ended.
    has_named: bool,
    /// Whether PostgreSQL refuses views, foreign tables and row security to statements that are not isolated.
    is_guarded: bool,
    /// The number of the functions and types that its statements were prepared with.
    vocabulary: Option<i64>,
}

impl Session {
    /// Prepares a fresh connection. From then on an answer may take as long as `patience`, until loads say how long it may. Returns what
    /// PostgreSQL says of the connection, too.
    ///
    /// # Errors
    /// What PostgreSQL says, or that it is a standby.
    pub(super) fn prepare(mut client: Client, patience: Duration) -> Result<(Self, Kind), ConnectError> {
        let kind = Kind::of(&mut client)?;
        client.pulse().belongs_to(kind.process);
        if kind.is_standby {
            return Err(ConnectError::Unfit(STANDBY));
        }
        let is_guarded = kind.is_own() && set_up(&mut client)?;
        client.set_patience(patience);
        let session = Self {
            client,
            statements: Statements::default(),
            statement_timeout: None,
            opened: Instant::now(),
            lost: false,
            in_transaction: false,
            is_shared: !kind.is_own(),
            has_named: false,
            is_guarded,
            vocabulary: None,
        };
        Ok((session, kind))
    }

    /// Lets PostgreSQL cancel each later statement after `timeout` (at least 1 ms); asks it only when the
    /// connection has another one.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub fn use_statement_timeout(&mut self, timeout: Duration) -> Result<(), ::postgres::Error> {
        if self.statement_timeout != Some(timeout) {
            if !self.is_shared {
                self.batch(&format!("SET {}", setting_of(timeout)))?;
            }
            self.statement_timeout = Some(timeout);
            self.client.set_patience(timeout + STATEMENT_MARGIN);
        }
        Ok(())
    }

    /// Forgets what was prepared with other functions and types than those with this number: the same words may mean something else now.
    pub fn use_vocabulary(&mut self, number: i64) {
        if self.vocabulary.replace(number).is_some_and(|before| before != number) {
            self.statements.clear();
            self.client.clear_type_cache();
        }
    }

    /// Whether its server process is others' too, because a pooler stands in between.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Runs `sql`, which reads nothing but system catalogs and tables that run nobody's code, prepared once per connection and
    /// [`PLAN_LIFE`](super::statements::PLAN_LIFE), and returns all its rows.
    ///
    /// A statement that the server no longer knows is prepared again and run once more. One whose result type changed is only forgotten:
    /// what its table has become has to be read first. Where the server process is others' too, nothing is prepared.
    ///
    /// # Errors
    /// What PostgreSQL says; see [`super::error_from`].
    pub fn query(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, ::postgres::Error> {
        if self.is_shared {
            return self.query_unprepared(sql, params);
        }
        self.again(sql, is_unknown, |session| {
            let statement = session.statement(sql)?;
            let result = session.client.query(&statement, params);
            session.noted(result)
        })
    }

    /// Runs `sql` in a transaction that is rolled back, whatever it reads: code of others may run in it, and nothing that it does
    /// to the session is left.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn query_isolated(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, ::postgres::Error> {
        if self.is_shared {
            return self.query_unprepared(sql, params);
        }
        self.again(sql, is_outdated, |session| {
            let statement = session.prepare_isolated(sql, |session| session.statement(sql))?;
            let what = What::Prepared(&statement, params);
            session.enclosed(session.isolating(), what, isolation::END)
        })
    }

    /// Whether what is known to run nobody's code needs no isolation: PostgreSQL itself refuses it once it has become something else.
    pub fn is_guarded(&self) -> bool {
        self.is_guarded
    }

    /// What begins a transaction that is rolled back.
    pub(crate) fn isolating(&self) -> &'static str {
        match self.is_guarded {
            true => isolation::BEGIN,
            false => isolation::BEGIN_UNGUARDED,
        }
    }

    /// Does `work` with `sql` as it is prepared, once more when `may_repeat` says so of the error.
    fn again<T>(
        &mut self,
        sql: &str,
        may_repeat: fn(&::postgres::Error) -> bool,
        mut work: impl FnMut(&mut Self) -> Result<T, ::postgres::Error>,
    ) -> Result<T, ::postgres::Error> {
        let was_prepared = self.statements.has(sql);
        match work(self) {
            Err(error) if was_prepared && is_outdated(&error) && !self.is_closed() => {
                self.forget(sql);
                if !may_repeat(&error) {
                    return Err(error);
                }
                work(self)
            }
            result => result,
        }
    }

    /// Prepares `sql` by `prepare`, unless it is prepared: in a transaction in which PostgreSQL refuses no view. Nothing is run by this.
    pub(crate) fn prepare_isolated(
        &mut self,
        sql: &str,
        prepare: impl FnOnce(&mut Self) -> Result<Statement, ::postgres::Error>,
    ) -> Result<Statement, ::postgres::Error> {
        if self.is_prepared(sql) {
            return self.statement(sql);
        }
        self.begin(self.isolating(), "")?;
        let prepared = prepare(self);
        let ended = self.end();
        prepared.and_then(|statement| ended.map(|()| statement))
    }

    /// Runs `what` between `begin` and `end`, all in one round trip.
    fn enclosed(&mut self, begin: &str, what: What<'_>, end: &str) -> Result<Vec<Row>, ::postgres::Error> {
        let mut rows = Vec::new();
        let mut take = |row| {
            rows.push(row);
            true
        };
        self.roll_back(begin, &mut [Request::new(what, &mut take)], ["", end], &mut |_| {})?.check()?;
        Ok(rows)
    }

    /// Runs `requests` between `begin` and `end`, which rolls them back, all in one round trip. Where the session is not as it was
    /// before, its connection is given up. `on_rows` is told of the requests before the end is answered: what they brought was read
    /// in the transaction, whatever becomes of the session.
    pub(crate) fn roll_back(
        &mut self,
        begin: &str,
        requests: &mut [Request<'_>],
        end: [&str; 2],
        on_rows: OnRows<'_>,
    ) -> Result<Parts, ::postgres::Error> {
        self.in_transaction = true;
        let result = self.client.enclosed(begin, requests, end, on_rows);
        let parts = self.noted(result)?;
        let results = [&parts.begun].into_iter().chain(&parts.rows);
        results.filter_map(|result| result.as_ref().err()).for_each(|error| self.note(error));
        // Without its beginning a request has run in no transaction of ours.
        let is_clean = parts.begun.is_ok() && parts.end[1].as_ref().is_ok_and(|end| isolation::is_clean(end));
        self.in_transaction = !is_clean;
        Ok(parts)
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

    /// Begins a transaction by `sql`, and runs `then` in it. Until [`Self::end`] has ended it the connection counts as
    /// closed to whoever gets it next, also after a panic.
    pub(crate) fn begin(&mut self, sql: &str, then: &str) -> Result<(), ::postgres::Error> {
        self.in_transaction = true;
        match self.is_shared {
            true => self.batch(&format!("{} {then}", self.shared_begin(sql))),
            false => self.batch(&format!("{sql}; {then}")),
        }
    }

    /// `sql`, which begins a transaction, with what the session needs in it.
    fn shared_begin(&self, sql: &str) -> String {
        format!("{sql};{}", self.local_settings())
    }

    /// What a transaction needs in a session that shares its server process.
    fn local_settings(&self) -> String {
        let timeout = self.statement_timeout.map(setting_of);
        let settings = SETTINGS.into_iter().chain([LOCAL_SETTINGS]).map(str::to_owned).chain(timeout);
        settings.map(|setting| format!(" SET LOCAL {setting};")).collect()
    }

    /// Rolls the transaction back. A session that is not as it was before stays closed to whoever gets it next.
    pub(crate) fn end(&mut self) -> Result<(), ::postgres::Error> {
        self.end_by(if self.is_shared { isolation::END_SHARED } else { isolation::END })
    }

    /// The same by `end`.
    pub(crate) fn end_by(&mut self, end: &str) -> Result<(), ::postgres::Error> {
        let mut end = end.to_owned();
        if std::mem::take(&mut self.has_named) && self.is_shared {
            self.statements.clear();
            // Our hold on the process ends with the message.
            end = format!("{end}; {}", isolation::FORGET_NAMES);
        }
        let answers = self.ask(&end)?;
        self.in_transaction = !isolation::is_clean(&answers);
        Ok(())
    }

    /// Runs statements without parameters and returns what they answered, as texts.
    pub(crate) fn ask(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, ::postgres::Error> {
        let result = self.client.simple_query(sql);
        self.noted(result)
    }

    /// Runs one statement without parameters: more are refused.
    pub(crate) fn execute(&mut self, sql: &str) -> Result<(), ::postgres::Error> {
        let result = self.client.execute(sql);
        self.noted(result).map(|_| ())
    }

    /// Whether `sql` is prepared, and not for too long.
    pub(crate) fn is_prepared(&self, sql: &str) -> bool {
        self.statements.is_fresh(sql)
    }

    /// Forgets that `sql` is prepared, and the types that it needs: one may have been dropped and made anew under the same
    /// name.
    pub(crate) fn forget(&mut self, sql: &str) {
        self.statements.remove(sql);
        self.client.clear_type_cache();
    }

    /// Prepares `sql`, which has to be one statement, for as long as the result lives.
    pub(crate) fn prepare_once(&mut self, sql: &str) -> Result<Statement, ::postgres::Error> {
        self.has_named = true;
        let result = self.client.prepare(sql);
        self.noted(result)
    }

    /// Runs a statement in a transaction that was begun already, and gives its rows to `take`.
    pub(crate) fn stream(&mut self, request: &mut Request<'_>) -> Result<(), ::postgres::Error> {
        let result = self.client.stream(request);
        self.noted(result)
    }

    /// Remembers when `error`, of a row that arrived, says that the connection is lost.
    pub(crate) fn note(&mut self, error: &::postgres::Error) {
        self.lost |= self.means_lost(error);
    }

    /// Whether `error` says that the connection is of no more use: it is lost, or, where its server process changes under
    /// it, a name that the client library has given is missing there or another's.
    pub fn means_lost(&self, error: &::postgres::Error) -> bool {
        let is_about_names = || error.code().is_some_and(|code| matches!(code.code(), "26000" | "42P05"));
        is_lost(error) || (self.is_shared && is_about_names())
    }

    /// Whether the connection was given up because a statement went on after its time.
    pub(crate) fn is_overdue(&self) -> bool {
        self.client.is_overdue()
    }

    /// When the connection was opened.
    pub(crate) fn opened(&self) -> Instant {
        self.opened
    }

    /// Whether the server still answers, within `patience`: one round trip without a statement.
    pub(crate) fn ping(&mut self, patience: Duration) -> Result<(), ::postgres::Error> {
        let result = self.client.within(patience, |client| client.batch_execute(""));
        self.noted(result)
    }

    /// Whether the server answers; `None` when it has not within `patience`, and may still do so.
    pub(crate) fn knock(&mut self, patience: Duration) -> Option<bool> {
        let result = self.client.knock(patience)?;
        Some(self.noted(result).is_ok())
    }

    /// Asks as [`Self::ask`] does, and gives the connection up when the answer takes longer than `patience`.
    pub(crate) fn ask_within(
        &mut self,
        patience: Duration,
        sql: &str,
    ) -> Result<Vec<SimpleQueryMessage>, ::postgres::Error> {
        let result = self.client.within(patience, |client| client.simple_query(sql));
        self.noted(result)
    }

    /// Gives its connection up.
    pub(crate) fn give_up(&self) {
        self.client.pulse().stop();
    }

    /// What other threads may know of its connection, and do to it.
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        self.client.pulse()
    }

    /// Runs `sql` in a session that shares its server process: without a name, and in a transaction, unless it is in one.
    fn query_unprepared(&mut self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, ::postgres::Error> {
        let params = typed(params);
        if self.in_transaction {
            let result = self.client.query_typed(sql, &params);
            return self.noted(result);
        }
        let begin = self.shared_begin(isolation::BEGIN_SHARED);
        self.enclosed(&begin, What::Unnamed(sql, &params), isolation::END_SHARED)
    }

    /// `sql`, prepared once per connection and [`PLAN_LIFE`](super::statements::PLAN_LIFE).
    pub(crate) fn statement(&mut self, sql: &str) -> Result<Statement, ::postgres::Error> {
        if let Some(statement) = self.statements.find(sql) {
            return Ok(statement);
        }
        let statement = self.prepare_once(sql)?;
        self.statements.add(sql, &statement);
        Ok(statement)
    }

    /// Remembers when a result says that the connection is lost: the client itself notices too late.
    fn noted<T>(&mut self, result: Result<T, ::postgres::Error>) -> Result<T, ::postgres::Error> {
        result.inspect_err(|error| self.note(error))
    }
}
