//! The digest of the catalogs: whether they may be other than at the last comparison, asked before relations are compared one by one.

use crate::cdc::connection::FeedConnection;
use crate::cdc::known::Known;
use crate::cdc::own::Moment;
use crate::cdc::Lost;
use crate::postgres::catalog::vocabulary::VOCABULARY;
use crate::postgres::Texts;

/// Every change of a catalog takes a transaction number: as long as no transaction of others has ended there is none.
const MOMENT: &str = "\
SELECT pg_catalog.pg_current_snapshot(), EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time())";

/// The question, and its parameter as it stands in it.
const DIGEST: &str = include_str!("digest.sql");
const KNOWN: &str = "$1";
/// What it is called where it is prepared: planning it takes a third of the whole.
const NAME: &str = "pgcache_digest";
/// Rows are read in the order in which they stand, whatever the planner knows of them: the order counts.
const SETTINGS: &str = "\
SET LOCAL statement_timeout = '5s'; SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off;
SET LOCAL synchronize_seqscans = off;
";

/// What precedes [`VOCABULARY`] in a session of its own.
const VOCABULARY_SETTINGS: &str = "SET LOCAL statement_timeout = '5s'; SET LOCAL jit = off; ";

/// The catalogs as one session has seen them last.
#[derive(Debug, Default)]
pub(crate) struct CatalogDigest {
    moment: Option<Moment>,
    vocabulary: Option<i64>,
    catalogs: Option<String>,
    /// Whether the question is prepared, once that is known: not in a server process that others use as well.
    is_prepared: Option<bool>,
}

/// What a look at them has shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DigestVerdict {
    /// The number of the vocabulary.
    pub(crate) vocabulary: i64,
    /// Whether each relation is what it was at the look before.
    pub(crate) is_same: bool,
}

impl CatalogDigest {
    /// Looks at the catalogs for the sake of `count` relations that are known.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub(crate) fn renew(
        &mut self,
        connection: &mut FeedConnection,
        known: &Known,
        count: usize,
    ) -> Result<DigestVerdict, Lost> {
        let moment = moment(connection)?;
        if let Some(vocabulary) = self.vocabulary.filter(|_| self.was_quiet(known, moment.as_ref())) {
            // Nothing has happened up to this moment either, and only so many transactions of our own are remembered.
            self.moment = moment;
            return Ok(DigestVerdict { vocabulary, is_same: true });
        }
        let question = self.question(connection, count)?;
        let catalogs = text(connection, &question)?;
        if let Some(vocabulary) = self.unchanged(catalogs.as_ref()) {
            self.moment = moment;
            return Ok(DigestVerdict { vocabulary, is_same: true });
        }
        let vocabulary = vocabulary(connection)?;
        *self = Self { moment, vocabulary: Some(vocabulary), catalogs, ..*self };
        Ok(DigestVerdict { vocabulary, is_same: false })
    }

    /// Whether nobody else's transaction has ended since the last look.
    fn was_quiet(&self, known: &Known, now: Option<&Moment>) -> bool {
        let both = self.moment.as_ref().zip(now);
        both.is_some_and(|(before, now)| known.own.are_all_between(before, now))
    }

    fn question(&mut self, connection: &mut FeedConnection, count: usize) -> Result<String, Lost> {
        let is_prepared = match self.is_prepared {
            Some(is_prepared) => is_prepared,
            None => prepare(connection)?,
        };
        self.is_prepared = Some(is_prepared);
        Ok(match is_prepared {
            true => format!("{SETTINGS}EXECUTE {NAME} ({count})"),
            false => format!("{SETTINGS}{}", DIGEST.replace(KNOWN, &count.to_string())),
        })
    }

    /// The number of the vocabulary, if the catalogs are known to be what they were.
    fn unchanged(&self, catalogs: Option<&String>) -> Option<i64> {
        self.vocabulary.filter(|_| catalogs.is_some() && catalogs == self.catalogs.as_ref())
    }
}

fn moment(connection: &mut FeedConnection) -> Result<Option<Moment>, Lost> {
    let rows = connection.ask(MOMENT)?;
    let moment = |row: &::postgres::SimpleQueryRow| {
        Some(Moment { snapshot: row.text(0)?.parse().ok()?, started: row.text(1)?.to_owned() })
    };
    Ok(rows.first().and_then(moment))
}

/// The number of the vocabulary.
fn vocabulary(connection: &mut FeedConnection) -> Result<i64, Lost> {
    let rows = connection.ask(&format!("{VOCABULARY_SETTINGS}{VOCABULARY}"))?;
    let number = rows.iter().find_map(|row| row.text(0)?.parse().ok());
    number.ok_or_else(|| Lost("PostgreSQL did not say which functions and types there are".into()))
}

/// Prepares the question, where nobody else gets the server process.
fn prepare(connection: &mut FeedConnection) -> Result<bool, Lost> {
    let is_own = connection.is_own();
    if is_own {
        connection.ask(&format!("PREPARE {NAME} (int8) AS\n{DIGEST}"))?;
    }
    Ok(is_own)
}

/// The first column of the last row.
fn text(connection: &mut FeedConnection, sql: &str) -> Result<Option<String>, Lost> {
    Ok(connection.ask(sql)?.last().and_then(|row| row.text(0)).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_the_same_is() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(CatalogDigest::default().unchanged(None), None);
        assert_eq!(CatalogDigest::default().unchanged(some("a").as_ref()), None, "nothing was seen before");
        let seen = CatalogDigest { moment: None, vocabulary: Some(1), catalogs: some("a"), is_prepared: None };
        assert_eq!(seen.unchanged(some("a").as_ref()), Some(1));
        assert_eq!(seen.unchanged(some("b").as_ref()), None);
        let large = CatalogDigest { catalogs: None, ..seen };
        assert_eq!(large.unchanged(None), None, "it was not worth looking");
    }
}
