//! The transaction that a query is run in: it writes nothing, and leaves nothing behind.

use ::postgres::{Error, SimpleQueryMessage};

use crate::postgres::connection::isolation;
use crate::postgres::{Session, Texts};

/// One statement has one snapshot, which PostgreSQL takes once the statement's tables are locked. With a snapshot of the
/// transaction it would be taken before: a table whose TRUNCATE was waited for would then seem to be empty, although rows were
/// put there in the same transaction.
///
/// Locks of parallel workers end with these, so there are none: what a function reads in one would not be seen.
const ONE_PROCESS: &str = "SET LOCAL max_parallel_workers_per_gather = 0";

/// What is done between these two leaves no lock: parsing locks what the statement names, and the client library reads
/// the catalog for types that it does not know.
const FORGETTABLE: &str = "SAVEPOINT pgcache";
const FORGET: &str = "ROLLBACK TO SAVEPOINT pgcache";

/// The relations that are locked, all that was read among them. The function locks none itself, as the view that stands for
/// it does; operators are named in full since the query may have set the search path.
pub const LOCKED: &str = "\
SELECT DISTINCT relation::pg_catalog.text FROM pg_catalog.pg_lock_status()
WHERE locktype OPERATOR(pg_catalog.=) 'relation'::pg_catalog.text
  AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()";

/// Begins a transaction in which statements are prepared; [`forget`] releases the locks that this takes. Whatever comes of it, [`end`]
/// or [`abandon`] has to follow; without it the session is of no more use.
pub fn begin(session: &mut Session) -> Result<(), Error> {
    session.begin(&beginning(session), FORGETTABLE)
}

/// Begins the transaction of a statement whose locks tell what it reads.
pub fn beginning(session: &Session) -> String {
    format!("{}; {ONE_PROCESS}", session.isolating())
}

/// Releases what was locked since the transaction was begun.
pub fn forget(session: &mut Session) -> Result<(), Error> {
    session.batch(FORGET)
}

/// Ends the transaction after `before`, which fails when anything is wrong with what was done. Returns the relations that were locked in
/// it, sorted.
pub fn end(session: &mut Session, before: &str) -> Result<Box<[u32]>, Error> {
    let result = session.ask(&format!("{LOCKED}{before}"));
    let ended = session.end();
    let relations = relations(&result?);
    ended.map(|()| relations)
}

/// Ends a transaction in which something has failed. When this fails too the session knows that it is of no more use.
pub fn abandon(session: &mut Session) {
    report(session.end());
}

/// The same, and removes the statement that was described: a rollback does not.
pub fn abandon_described(session: &mut Session) {
    report(session.end_by(isolation::END_DESCRIBED));
}

fn report(ended: Result<(), Error>) {
    if let Err(error) = ended {
        log::debug!("a query's transaction could not be ended: {error}");
    }
}

/// The relations that [`LOCKED`] tells of, sorted.
pub fn relations(answers: &[SimpleQueryMessage]) -> Box<[u32]> {
    let mut relations: Vec<u32> = answers.iter().filter_map(locked).collect();
    relations.sort_unstable();
    relations.dedup();
    relations.into()
}

/// A row of [`LOCKED`]; what else was answered holds no number.
fn locked(answer: &SimpleQueryMessage) -> Option<u32> {
    match answer {
        SimpleQueryMessage::Row(row) => row.text(0)?.parse().ok(),
        _ => None,
    }
}
