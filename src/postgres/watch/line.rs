//! A line: one connection that asks in the simple protocol only, so that any pooler in between will do.

use ::postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use super::Lost;
use crate::postgres::connect::Connector;

/// One connection of a feed.
pub struct Line {
    client: Client,
}

impl Line {
    /// Opens one.
    ///
    /// # Errors
    /// Everything that can stand in the way.
    pub(super) fn open(connector: &Connector) -> Result<Self, Lost> {
        Ok(Self { client: connector.open()? })
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

    /// The connection itself.
    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }
}
