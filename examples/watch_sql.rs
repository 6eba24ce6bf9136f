//! Prints what `PGCACHE.WATCH ADD` would run, without a server: for a review, a migration, or a DBA.
//! `cargo run --example watch_sql -- 'host=db1 dbname=shop user=pgcache' users [notify|outbox]`.

use std::env::args;
use std::error::Error;

use pgcache::cdc::install::{sql, Mode};
use postgres::{Client, NoTls};

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: watch_sql <connection> <table> [notify|outbox]";
    let (connection, table) = args().nth(1).zip(args().nth(2)).ok_or(usage)?;
    let mode = Mode::named(args().nth(3).as_deref().unwrap_or("notify")).ok_or(usage)?;
    let mut client = Client::connect(&connection, NoTls)?;
    println!("{}", sql(&mut client, &table, mode, &pgcache::settings::AllowTables::default())??);
    Ok(())
}
