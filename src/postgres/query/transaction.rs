//! The transaction that a query is run in: it writes nothing, and leaves nothing behind.

use ::postgres::{Error, SimpleQueryMessage};

use crate::postgres::Session;

/// One statement has one snapshot, which PostgreSQL takes once the statement's tables are locked. With a snapshot of the
/// transaction it would be taken before: a table whose TRUNCATE was waited for would then seem to be empty, although rows were
/// put there in the same transaction.
///
/// Locks of parallel workers end with these, so there are none: what a function reads in one would not be seen.
const BEGIN: &str = "\
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SET LOCAL max_parallel_workers_per_gather = 0";

/// What is done between these two leaves no lock: parsing locks what the statement names, and the client library reads
/// the catalog for types that it does not know.
const FORGETTABLE: &str = "SAVEPOINT pgcache";
const FORGET: &str = "ROLLBACK TO SAVEPOINT pgcache";

/// The relations that are locked, all that was read among them. The function locks none itself, as the view that stands for
/// it does; operators are named in full since the query may have set the search path.
const LOCKED: &str = "\
SELECT DISTINCT relation::pg_catalog.text FROM pg_catalog.pg_lock_status()
WHERE locktype OPERATOR(pg_catalog.=) 'relation'::pg_catalog.text
  AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()";

/// Advisory locks of the session outlive a transaction.
const END: &str = "ROLLBACK; SELECT pg_catalog.pg_advisory_unlock_all()";

/// What a transaction is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Statements that are prepared already.
    Run,
    /// Preparing statements, whose locks [`forget`] releases.
    Prepare,
}

/// Begins the transaction. Whatever comes of it, [`end`] or [`abandon`] has to follow; without it the session is of no
/// more use.
pub fn begin(session: &mut Session, purpose: Purpose) -> Result<(), Error> {
    match purpose {
        Purpose::Run => session.begin(BEGIN, ""),
        Purpose::Prepare => session.begin(BEGIN, FORGETTABLE),
    }
}

/// Releases what was locked since a transaction for [`Purpose::Prepare`] was begun.
pub fn forget(session: &mut Session) -> Result<(), Error> {
    session.batch(FORGET)
}

/// Ends the transaction and runs `then`. Returns the relations that were locked in it, sorted.
pub fn end(session: &mut Session, then: &str) -> Result<Box<[u32]>, Error> {
    let result = session.end(&format!("{LOCKED}; {END}; {then}"));
    if result.is_err() {
        // It may be the question that failed, by a timeout say.
        abandon(session, then);
    }
    let mut relations: Vec<u32> = result?.iter().filter_map(locked).collect();
    relations.sort_unstable();
    relations.dedup();
    Ok(relations.into())
}

/// Ends a transaction in which something has failed. When this fails too the session knows that it is of no more use.
pub fn abandon(session: &mut Session, then: &str) {
    if let Err(error) = session.end(&format!("{END}; {then}")) {
        log::debug!("a query's transaction could not be ended: {error}");
    }
}

/// A row of [`LOCKED`]; what else was answered holds no number.
fn locked(answer: &SimpleQueryMessage) -> Option<u32> {
    match answer {
        SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
        _ => None,
    }
}
