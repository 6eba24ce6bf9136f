//! A PostgreSQL that is asked what it makes of the same bytes, where `PGCACHE_FUZZ_POSTGRES` names one.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use postgres::types::ToSql;
use postgres::{Client, Error, NoTls, Row, Statement};

/// What is asked, once for each connection.
const FUNCTIONS: &str = include_str!("oracle.sql");

static ORACLE: OnceLock<Option<Mutex<Oracle>>> = OnceLock::new();

/// A connection with what it has prepared.
struct Oracle {
    client: Client,
    statements: HashMap<String, Statement>,
}

/// The one row that `sql` brings; `None`: there is no PostgreSQL to ask.
pub fn ask(sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Option<Row> {
    ask_or_refuse(sql, parameters).map(|row| row.unwrap_or_else(|error| panic!("PostgreSQL: {error:?}")))
}

/// The same, where PostgreSQL may refuse the parameters.
pub fn ask_or_refuse(sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Option<Result<Row, Error>> {
    let oracle = ORACLE.get_or_init(connect).as_ref()?;
    // Another test has failed while it asked: the connection is as it was.
    Some(oracle.lock().unwrap_or_else(PoisonError::into_inner).ask(sql, parameters))
}

impl Oracle {
    fn ask(&mut self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        if !self.statements.contains_key(sql) {
            let statement = self.client.prepare(sql)?;
            self.statements.insert(sql.to_owned(), statement);
        }
        self.client.query_one(&self.statements[sql], parameters)
    }
}

fn connect() -> Option<Mutex<Oracle>> {
    let place = std::env::var("PGCACHE_FUZZ_POSTGRES").ok().filter(|place| !place.is_empty())?;
    let mut client = Client::connect(&place, NoTls).expect("PGCACHE_FUZZ_POSTGRES is a PostgreSQL");
    client.batch_execute(FUNCTIONS).expect("its role may make functions");
    Some(Mutex::new(Oracle { client, statements: HashMap::new() }))
}
