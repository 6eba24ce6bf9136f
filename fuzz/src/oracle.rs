//! A PostgreSQL that is asked what it makes of the same bytes, where `PGCACHE_FUZZ_POSTGRES` names one.

use std::sync::{Mutex, OnceLock, PoisonError};

use postgres::types::ToSql;
use postgres::{Client, NoTls, Row};

/// What is asked, once for each connection.
const FUNCTIONS: &str = include_str!("oracle.sql");

static ORACLE: OnceLock<Option<Mutex<Client>>> = OnceLock::new();

/// The one row that `sql` brings; `None`: there is no PostgreSQL to ask.
pub fn ask(sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Option<Row> {
    let client = ORACLE.get_or_init(connect).as_ref()?;
    // Another test has failed while it asked: the connection is as it was.
    let mut client = client.lock().unwrap_or_else(PoisonError::into_inner);
    Some(client.query_one(sql, parameters).unwrap_or_else(|error| panic!("PostgreSQL: {error:?}")))
}

fn connect() -> Option<Mutex<Client>> {
    let place = std::env::var("PGCACHE_FUZZ_POSTGRES").ok().filter(|place| !place.is_empty())?;
    let mut client = Client::connect(&place, NoTls).expect("PGCACHE_FUZZ_POSTGRES is a PostgreSQL");
    client.batch_execute(FUNCTIONS).expect("its role may make functions");
    Some(Mutex::new(client))
}
