//! A line: one connection that asks in the simple protocol only, so that any pooler in between will do.

use std::time::Duration;

use ::postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::Lost;
use crate::postgres::connect::Connector;
use crate::postgres::ownership::{own_process, OWN_PROCESS};
use crate::postgres::pulses::{Pulses, Purpose};
use crate::postgres::Client;

/// A process that goes on within so long after the source has become suspect loses nothing: another connection would be a gap.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// One connection of a feed.
pub struct Line {
    client: Client,
}

impl Line {
    /// Opens one, and enters it in `pulses`.
    ///
    /// # Errors
    /// Everything that can stand in the way.
    pub(super) fn open(connector: &Connector, pulses: &Pulses) -> Result<Self, Lost> {
        let mut line = Self { client: connector.open()? };
        let rows = line.ask(&format!("SELECT {OWN_PROCESS}"))?;
        line.client.pulse().belongs_to(own_process(rows.first().and_then(|row| row.get(0))));
        pulses.keep(Purpose::Listen, line.client.pulse());
        Ok(line)
    }

    /// Runs `sql`, one or more statements in one message, and returns their rows.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub(super) fn ask(&mut self, sql: &str) -> Result<Vec<SimpleQueryRow>, ::postgres::Error> {
        let messages = self.client.simple_query(sql)?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Whether it has a server process to itself: no pooler stands in between.
    pub(super) fn is_own(&self) -> bool {
        self.client.pulse().process().is_some()
    }

    /// The number of the server process that it has, for the moment at least.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub(super) fn process(&mut self) -> Result<Option<String>, ::postgres::Error> {
        let rows = self.ask("SELECT pg_catalog.pg_backend_pid()")?;
        Ok(rows.first().and_then(|row| row.get(0)).map(str::to_owned))
    }

    /// From now on an answer may take so much longer than a sign of life: then the connection is given up, and another one opened.
    pub(super) fn expect_signs(&mut self, max_staleness: Duration) {
        self.client.set_patience(max_staleness + ANSWER_MARGIN);
        self.client.pulse().may_take(max_staleness);
    }

    /// The connection itself.
    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}
