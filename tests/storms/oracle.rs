//! The oracle: PostgreSQL itself, asked by the same role.

use postgres::{NoTls, SimpleQueryMessage};

use super::asker::{Answer, Question};
use crate::support::Database;

/// What loads rely on too.
const SETTINGS: &str =
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET jit = off";

/// A session of the role that asks.
pub struct Oracle {
    session: postgres::Client,
}

impl Oracle {
    /// Of `role`.
    pub fn new(database: &Database<'_>, role: &str) -> Self {
        let mut config = postgres::Config::new();
        config.host("127.0.0.1").port(database.postgres.port()).dbname(&database.name).user(role);
        let mut session = config.connect(NoTls).unwrap();
        session.batch_execute(SETTINGS).unwrap();
        Self { session }
    }

    /// The right answer now.
    pub fn answer(&mut self, question: &Question) -> Answer {
        let sql = match question {
            Question::Query(sql) => format!("SELECT row_to_json(q)::text FROM ({sql}\n) q"),
            Question::Row(table, id) => {
                format!("SELECT row_to_json(whole)::text FROM {table} whole WHERE whole.id = {id}")
            }
        };
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => row.try_get(0).unwrap().map(str::to_owned),
            _ => None,
        };
        match self.session.simple_query(&sql) {
            Ok(messages) => Answer::Rows(messages.into_iter().filter_map(row).collect()),
            Err(error) => {
                assert!(error.code().is_some(), "{sql}: {error:?}");
                Answer::Error
            }
        }
    }
}
