//! Connections that the catalog is asked by: the module's own, and those of programs that print or run what WATCH would.

use ::postgres::types::ToSql;
use ::postgres::{Error, Row, SimpleQueryMessage};

use super::question;
use crate::postgres::connection::typed::typed;
use crate::postgres::Client;

/// Such a connection.
pub trait Asking {
    /// Asks `sql` in a transaction of its own, after which the connection is as it was.
    ///
    /// # Errors
    /// What PostgreSQL says.
    fn ask(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error>;

    /// Runs statements without parameters and returns what they answered, as texts.
    ///
    /// # Errors
    /// What PostgreSQL says.
    fn run(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error>;
}

impl Asking for Client {
    fn ask(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        question::enclosed(self, sql, parameters)
    }

    fn run(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.simple_query(sql)
    }
}

impl Asking for ::postgres::Client {
    fn ask(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let mut transaction = self.transaction()?;
        transaction.batch_execute(question::SETTINGS)?;
        let rows = transaction.query_typed(sql, &typed(parameters))?;
        transaction.rollback()?;
        Ok(rows)
    }

    fn run(&mut self, sql: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.simple_query(sql)
    }
}
