//! Having PostgreSQL tell of changes: what is installed in its databases for that, how, and where it is.

mod asking;
mod key;
mod mode;
mod publication;
mod question;
mod script;
mod table;
mod template;

use ::postgres::types::Oid;

use crate::cache::{Error, ErrorKind};
use crate::postgres::catalog::CONCERNS;
use crate::postgres::is_lost;
use crate::settings::AllowTables;
use question::ask;

pub use asking::Asking;
pub use mode::Mode;
pub use script::Script;

const LIST: &str = include_str!("list.sql");
const HOLDERS: &str = include_str!("holders.sql");

/// The version of the server, as a number and as PostgreSQL calls it, and how much it writes into its log.
const VERSION: &str = "\
SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4, pg_catalog.current_setting('server_version'),
       pg_catalog.current_setting('wal_level')";

/// The first version that has `CREATE OR REPLACE TRIGGER`, which takes no lock that readers would wait for. Earlier ones have not
/// been maintained since November 2025.
const OLDEST: i32 = 140_000;

/// How often an installation follows a table that changes at the same time.
const ROUNDS: usize = 3;

/// A watched table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Its `pg_class.oid`.
    pub oid: Oid,
    /// Its name, qualified and quoted.
    pub name: String,
    /// How its changes are told.
    pub mode: Mode,
    /// How many triggers it and the tables below it carry.
    pub triggers: i64,
    /// How many tables stand below it.
    pub partitions: i64,
    /// Whether all that changes its rows is told.
    pub is_whole: bool,
    /// Whether event triggers tell of changed definitions.
    pub has_event_triggers: bool,
    /// As what publication `pgcache` has it, if it does: `table`, `root` (its partitions come with it) or `leaf`.
    pub published_as: Option<String>,
    /// The columns that are published; `None`: all of them.
    pub columns: Option<Vec<String>>,
}

/// Writes the script that has `relation` (SQL quoting rules) watched: what WATCH SQL prints and [`add`] runs.
///
/// For a view it is about every table that the view reads. `Ok(Err(_))`: there is no such relation, or nothing
/// can tell of its changes.
///
/// # Errors
/// What PostgreSQL says.
pub fn sql(
    client: &mut dyn Asking,
    relation: &str,
    mode: Mode,
    allow: &AllowTables,
) -> Result<Result<Script, Error>, ::postgres::Error> {
    if let Some(error) = too_old(client, mode)? {
        return Ok(Err(error));
    }
    match table::tables(client, relation, allow)? {
        Ok(tables) => script::installation(client, &tables, mode, allow, relation),
        Err(error) => Ok(Err(error)),
    }
}

/// Why this server cannot tell of changes, if it is too old, or writes too little into its log.
fn too_old(client: &mut dyn Asking, mode: Mode) -> Result<Option<Error>, ::postgres::Error> {
    let rows = ask(client, VERSION, &[])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (number, name, wal_level): (i32, &str, &str) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if number < OLDEST {
        let text = format!("PGCACHE.WATCH needs PostgreSQL 14 or later, and this is {name}");
        return Ok(Some(Error::new(ErrorKind::Postgres("0A000".into()), text)));
    }
    Ok((mode == Mode::Wal).then(|| publication::wal_level_is_too_low(wal_level)).flatten())
}

/// Has `relation` watched. Without a superuser's rights it goes without event triggers.
///
/// # Errors
/// What PostgreSQL says, as a rule that the role may not.
pub fn add(
    client: &mut dyn Asking,
    relation: &str,
    mode: Mode,
    allow: &AllowTables,
) -> Result<Result<(), Error>, ::postgres::Error> {
    let mut done = None;
    for _ in 0..ROUNDS {
        let script = match sql(client, relation, mode, allow)? {
            Ok(script) => script,
            Err(error) => return Ok(Err(error)),
        };
        // A partition may have come while we were at it.
        if done.as_ref() == Some(&script) {
            break;
        }
        if let Err(error) = run(client, &script.triggers) {
            return busy(client, error, relation, allow, false);
        }
        match run(client, &script.event_triggers) {
            Err(error) if is_lost(&error) => return Err(error),
            _ => done = Some(script),
        }
    }
    Ok(Ok(()))
}

/// Ends the watch over `relation` (or every table that it reads, if it is a view). With the last watched table
/// everything of pgcache's goes.
///
/// # Errors
/// What PostgreSQL says, as a rule that the role may not.
pub fn del(
    client: &mut dyn Asking,
    relation: &str,
    allow: &AllowTables,
) -> Result<Result<(), Error>, ::postgres::Error> {
    let tables = match table::tables(client, relation, allow)? {
        Ok(tables) => tables,
        Err(error) => return Ok(Err(error)),
    };
    match script::removal(client, &tables)? {
        Ok(script) => run(client, &script).map(Ok).or_else(|error| busy(client, error, relation, allow, true)),
        Err(error) => Ok(Err(error)),
    }
}

/// Takes the tables out of publication `pgcache` whose UPDATE fails for its sake.
///
/// # Errors
/// What PostgreSQL says, as a rule that the role may not.
pub fn heal(client: &mut dyn Asking) -> Result<(), ::postgres::Error> {
    run(client, &script::healing())
}

/// Every watched table of the database, by name.
///
/// # Errors
/// What PostgreSQL says.
pub fn list(client: &mut dyn Asking) -> Result<Vec<Watched>, ::postgres::Error> {
    let rows = ask(client, LIST, &[])?;
    let mut watched = Vec::with_capacity(rows.len());
    for row in rows {
        let (oid, mode) = (row.try_get(0)?, Mode::named(row.try_get(2)?).unwrap_or(Mode::Notify));
        watched.push(Watched {
            oid,
            name: row.try_get(1)?,
            mode,
            triggers: row.try_get(3)?,
            partitions: row.try_get(4)?,
            is_whole: is_told(client, oid, mode)?,
            has_event_triggers: row.try_get(5)?,
            published_as: row.try_get(6)?,
            columns: row.try_get(7)?,
        });
    }
    Ok(watched)
}

/// Whether all that changes the rows of a relation is told in the way `mode`: servers ask the same before they rely on it.
///
/// # Errors
/// What PostgreSQL says.
pub fn is_told(client: &mut dyn Asking, relation: Oid, mode: Mode) -> Result<bool, ::postgres::Error> {
    let rows = ask(client, &CONCERNS, &[&relation, &mode.name()])?;
    let is_told: Option<bool> = rows.first().map(|row| row.try_get(1)).transpose()?.flatten();
    Ok(is_told.unwrap_or(false))
}

/// Runs a script that is a transaction; none of it is left when it fails.
fn run(client: &mut dyn Asking, script: &str) -> Result<(), ::postgres::Error> {
    let result = client.run(script).map(drop);
    if result.as_ref().is_err_and(|error| !is_lost(error)) {
        client.run("ROLLBACK")?;
    }
    result
}

/// Lock and statement timeouts, and deadlocks, are about others who use the table; `readers` says whether those who only read it are
/// in the way.
fn busy(
    client: &mut dyn Asking,
    error: ::postgres::Error,
    relation: &str,
    allow: &AllowTables,
    readers: bool,
) -> Result<Result<(), Error>, ::postgres::Error> {
    if !matches!(error.code().map(|code| code.code()), Some("55P03" | "57014" | "40P01")) {
        return Err(error);
    }
    let who = match holders(client, relation, allow, readers)?.as_slice() {
        [] => "another transaction uses the table; nothing was changed, try again later".into(),
        holders => format!(
            "PostgreSQL's process {} uses the table; nothing was changed: try again when its transaction has ended \
             (pg_stat_activity shows it, pg_terminate_backend ends it)",
            holders.join(", ")
        ),
    };
    Ok(Err(Error::new(ErrorKind::Postgres("55P03".into()), format!("{relation}: {who}"))))
}

/// The processes that hold locks on the tables of `relation` now.
fn holders(
    client: &mut dyn Asking,
    relation: &str,
    allow: &AllowTables,
    readers: bool,
) -> Result<Vec<String>, ::postgres::Error> {
    let Ok(tables) = table::tables(client, relation, allow)? else { return Ok(vec![]) };
    let rows = ask(client, HOLDERS, &[&tables, &readers])?;
    rows.iter().map(|row| row.try_get(0).map(|pid: i32| pid.to_string())).collect()
}
