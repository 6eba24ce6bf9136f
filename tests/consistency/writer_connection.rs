//! A writer's connection to PostgreSQL, which knows what became of each commit.

use std::collections::BTreeMap;
use std::io::Write;
use std::thread::sleep;
use std::time::Duration;

use postgres::error::SqlState;
use postgres::{Client, Error, SimpleQueryMessage};

use super::clock::{nanos, Clock, Nanos};
use super::key::email_number;
use super::row::{Row, COLUMNS};
use super::world::World;

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is in force.
    Committed {
        /// When the commit was sent.
        began: Nanos,
        /// When it returned.
        returned: Nanos,
    },
    /// It never was.
    RolledBack,
    /// The connection was lost when the commit was under way.
    Unknown {
        /// When the commit was sent.
        began: Nanos,
    },
}

/// How long a commit that does not wait may be away from the log at most: three times `wal_writer_delay`.
const UNWRITTEN: Duration = Duration::from_millis(600);

/// A connection, opened again when it is lost.
pub struct WriterConnection<'w> {
    world: &'w World,
    clock: Clock,
    is_lazy: bool,
    client: Option<Client>,
    /// What PostgreSQL refused, by SQLSTATE, and how often; `lost`: the connection was.
    pub refused: BTreeMap<String, usize>,
}

impl<'w> WriterConnection<'w> {
    /// One for a writer of `world`.
    pub fn new(world: &'w World) -> Self {
        Self { world, clock: world.clock, is_lazy: false, client: None, refused: BTreeMap::new() }
    }

    /// One whose commits do not wait until they are written to the log.
    pub fn lazy(world: &'w World) -> Self {
        Self { is_lazy: true, ..Self::new(world) }
    }

    /// How much later its changes may be told than those of others.
    pub fn slack(&self) -> Nanos {
        if self.is_lazy {
            nanos(UNWRITTEN)
        } else {
            0
        }
    }

    /// One message: a transaction of its own, or the last part of an open one.
    pub fn finish(&mut self, sql: &str, touches: u64) -> Outcome {
        let began = self.clock.now();
        match self.query(sql, touches) {
            Ok(()) => Outcome::Committed { began, returned: self.clock.now() },
            Err(error) if self.is_certain(&error) => self.rolled_back(),
            Err(_) => {
                self.client = None;
                Outcome::Unknown { began }
            }
        }
    }

    /// A part of a transaction that is still to be committed. Whether it went well: else all of it is gone.
    pub fn write(&mut self, sql: &str, touches: u64) -> bool {
        let result = self.query(sql, touches);
        if let Err(error) = &result {
            if !self.is_certain(error) {
                self.client = None;
            }
            self.rolled_back();
        }
        result.is_ok()
    }

    /// Commits what was prepared under this name, whatever happens to the connection.
    pub fn finish_prepared(&mut self, name: &str) -> Outcome {
        let began = self.clock.now();
        let mut may_be_done = false;
        loop {
            let error = match self.query(&format!("COMMIT PREPARED '{name}'"), 0) {
                Ok(()) => return Outcome::Committed { began, returned: self.clock.now() },
                Err(error) => error,
            };
            if self.is_certain(&error) {
                let is_gone = error.code() == Some(&SqlState::UNDEFINED_OBJECT);
                assert!(is_gone && may_be_done, "PostgreSQL lost a prepared transaction: {error}");
                return Outcome::Committed { began, returned: self.clock.now() };
            }
            self.client = None;
            may_be_done = true;
        }
    }

    /// Undoes what may have been prepared under this name.
    pub fn undo_prepared(&mut self, name: &str) {
        while let Err(error) = self.client().batch_execute(&format!("ROLLBACK PREPARED '{name}'")) {
            if error.code() == Some(&SqlState::UNDEFINED_OBJECT) {
                break;
            }
            self.client = None;
        }
    }

    /// COPY, within a transaction that is still to be committed.
    pub fn copy(&mut self, rows: &[Row]) -> bool {
        let sql = format!("COPY t ({COLUMNS}) FROM STDIN");
        let lines: String = rows.iter().map(|row| row.copy_line()).collect();
        let copied = self.client().copy_in(&sql).and_then(|mut writer| {
            writer.write_all(lines.as_bytes()).expect("COPY takes its lines");
            writer.finish()
        });
        match copied {
            Ok(count) => assert_eq!(count, rows.len() as u64),
            Err(error) => {
                self.count(&error);
                self.client = self.client.take().filter(|_| self.is_certain(&error));
                self.rolled_back();
                return false;
            }
        }
        true
    }

    /// Undoes what is not committed.
    fn rolled_back(&mut self) -> Outcome {
        if let Some(client) = &mut self.client {
            if client.batch_execute("ROLLBACK").is_err() {
                self.client = None;
            }
        }
        Outcome::RolledBack
    }

    fn query(&mut self, sql: &str, touches: u64) -> Result<(), Error> {
        let result = self.client().simple_query(sql);
        let messages = result.inspect_err(|error| self.count(error))?;
        let count = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::CommandComplete(rows) => *rows,
            _ => 0,
        };
        let touched: u64 = messages.iter().map(count).sum();
        assert_eq!(touched, touches, "PostgreSQL has other rows than the writers think: {sql}");
        Ok(())
    }

    /// Whether the error says that nothing was committed. One that ends the connection may come after the commit.
    fn is_certain(&self, error: &Error) -> bool {
        let alive = self.client.as_ref().is_some_and(|client| !client.is_closed());
        alive && error.code().is_some_and(|code| !code.code().starts_with("57P") && !code.code().starts_with("08"))
    }

    fn count(&mut self, error: &Error) {
        let code = error.code().map_or("lost", |code| code.code()).to_owned();
        *self.refused.entry(code).or_default() += 1;
    }

    /// The rows with these ids, as they are now.
    pub fn look(&mut self, ids: &[u32]) -> Vec<Row> {
        let ids: Vec<i64> = ids.iter().map(|id| i64::from(*id)).collect();
        let sql = "SELECT id, email, ver FROM t WHERE id = ANY ($1)";
        loop {
            match self.client().query(sql, &[&ids]) {
                Ok(rows) => return rows.iter().map(row).collect(),
                Err(error) if self.is_certain(&error) => sleep(Duration::from_millis(5)),
                Err(_) => self.client = None,
            }
        }
    }

    fn client(&mut self) -> &mut Client {
        let (world, is_lazy) = (self.world, self.is_lazy);
        self.client.get_or_insert_with(|| loop {
            if let Ok(client) = connect(world, is_lazy) {
                return client;
            }
            sleep(Duration::from_millis(5));
        })
    }
}

fn connect(world: &World, is_lazy: bool) -> Result<Client, Error> {
    let mut client = world.postgres().connect(&world.database)?;
    if is_lazy {
        client.batch_execute("SET synchronous_commit = off")?;
    }
    Ok(client)
}

fn row(row: &postgres::Row) -> Row {
    let number = |name: &str| u32::try_from(row.get::<_, i64>(name)).unwrap();
    Row { id: number("id"), email: email_number(row.get("email")).unwrap(), version: number("ver") }
}
