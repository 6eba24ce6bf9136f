//! What keeps the code of others from the session that it runs in: views, functions, types and policies belong to whoever made them,
//! and run in our session as soon as they are read.
//!
//! A transaction that is rolled back undoes what they write and what they set. Advisory locks of the session and statements that SQL
//! prepares outlive it: locks are released, and a session with such a statement is given up, since it may have taken the place of
//! one of ours.

use crate::postgres::Texts;
use ::postgres::SimpleQueryMessage;

/// Begins such a transaction, in a session that is guarded by [`GUARD`].
pub(crate) const BEGIN: &str = "\
BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY;
SET LOCAL row_security = on; SET LOCAL restrict_nonsystem_relation_kind = ''";

/// What is asked after it: which locks are left is no matter, since they are released.
macro_rules! check {
    () => {
        "SELECT pg_catalog.pg_advisory_unlock_all(), \
         EXISTS (SELECT FROM pg_catalog.pg_prepared_statement() AS p WHERE p.from_sql)"
    };
}

/// Ends it, and tells of what is left.
pub(crate) const END: &str = concat!("ROLLBACK; ", check!());
/// The same, where a statement of our own is to be removed in between.
pub(crate) const END_DESCRIBED: &str = concat!("ROLLBACK; DEALLOCATE pgcache_described; ", check!());

/// The same in a session without a guard.
pub(crate) const BEGIN_UNGUARDED: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/// The same in a session whose server process is others' too: statements and locks may be theirs.
pub(crate) const BEGIN_SHARED: &str = BEGIN_UNGUARDED;
/// Ends it.
pub(crate) const END_SHARED: &str = "ROLLBACK; SELECT NULL, false";

/// Has PostgreSQL refuse views, foreign tables and row security: what was described as a plain table may be something else by
/// the time that it is read. Known to PostgreSQL since August 2024, in all releases from 12 on.
pub(crate) const GUARD: &str = "\
BEGIN; SET row_security = off; SET restrict_nonsystem_relation_kind = 'view, foreign-table'; COMMIT";

/// Whether the answer to [`END`] says that the session is as it was before.
pub(crate) fn is_clean(end: &[SimpleQueryMessage]) -> bool {
    end.iter().any(|answer| matches!(answer, SimpleQueryMessage::Row(row) if row.text(1) == Some("f")))
}

/// Ends what the client library has named in a server process that is others' too: names are told from theirs by their form,
/// since it numbers them in each process of ours alike. It keeps some for itself and never says so.
pub(super) const FORGET_NAMES: &str = "\
DO $$
DECLARE
    named text;
BEGIN
    FOR named IN SELECT name FROM pg_catalog.pg_prepared_statements
        WHERE NOT from_sql AND name OPERATOR(pg_catalog.~) '^s[0-9]+$'
    LOOP
        EXECUTE pg_catalog.concat('DEALLOCATE ', named);
    END LOOP;
END $$";
