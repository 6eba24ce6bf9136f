//! A connection of a feed: it asks in the simple protocol only, so that any pooler in between will do.

use std::time::Duration;

use ::postgres::{SimpleQueryMessage, SimpleQueryRow};

use crate::cdc::Lost;
use crate::postgres::connection::connect::Connector;
use crate::postgres::connection::pooler::{own_process, OWN_PROCESS};
use crate::postgres::connection::pulses::{Pulses, Purpose};
use crate::postgres::{Client, Texts};

/// A process that goes on within so long after the source has become suspect loses nothing: another connection would be a gap.
const ANSWER_MARGIN: Duration = Duration::from_secs(5);

/// One connection of a feed.
pub struct FeedConnection {
    client: Client,
}

impl FeedConnection {
    /// Opens one, and enters it in `pulses`.
    ///
    /// # Errors
    /// Everything that can stand in the way.
    pub(crate) fn open(connector: &Connector, pulses: &Pulses) -> Result<Self, Lost> {
        let client = connector.open().map_err(|error| Lost(connector.reason(&error)))?;
        let mut connection = Self { client };
        let rows = connection.ask(&format!("SELECT {OWN_PROCESS}"))?;
        connection.client.pulse().belongs_to(own_process(rows.first().and_then(|row| row.text(0))));
        pulses.keep(Purpose::Listen, connection.client.pulse());
        Ok(connection)
    }

    /// Runs `sql`, one or more statements in one message, and returns their rows.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub(crate) fn ask(&mut self, sql: &str) -> Result<Vec<SimpleQueryRow>, ::postgres::Error> {
        let messages = self.client.simple_query(sql)?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Whether it has a server process to itself: no pooler stands in between.
    pub(crate) fn is_own(&self) -> bool {
        self.client.pulse().process().is_some()
    }

    /// The number of the server process that it has, for the moment at least.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub(crate) fn process(&mut self) -> Result<Option<String>, ::postgres::Error> {
        let rows = self.ask("SELECT pg_catalog.pg_backend_pid()")?;
        Ok(rows.first().and_then(|row| row.text(0)).map(str::to_owned))
    }

    /// From now on an answer may take so much longer than a sign of life: then the connection is given up, and another one opened.
    pub(crate) fn expect_signs(&mut self, max_staleness: Duration) {
        self.client.set_patience(max_staleness + ANSWER_MARGIN);
        self.client.pulse().may_take(max_staleness);
    }

    /// The connection itself.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}
