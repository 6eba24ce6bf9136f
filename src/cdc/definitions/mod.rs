//! The feed of definitions: what the catalog says of the known relations, on a connection of its own, so that no change
//! notice waits for it.

mod comparison;
mod digest;
mod fingerprints;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::Error;
use crate::cdc::connection::FeedConnection;
use crate::cdc::feed::{Feed, FeedEvent, Tell};
use crate::cdc::known::Known;
use crate::cdc::Lost;
use crate::postgres::connection::client::Shutdown;
use crate::postgres::connection::connect::{Connector, DEFINITIONS};
use crate::postgres::Pulses;
use crate::settings::SourceSettings;
use comparison::{Comparison, Due};
use digest::CatalogDigest;

pub use comparison::PAUSE as COMPARED_EVERY;

/// How long nothing is done at a time, so that the end of the module does not wait longer.
const PATIENCE: Duration = Duration::from_millis(50);

/// Compares all of them once a second, and at once when somebody is in a hurry.
pub struct Definitions {
    connector: Connector,
    pulses: Arc<Pulses>,
    known: Arc<Known>,
    comparison: Comparison,
    seen: Seen,
    connection: Option<FeedConnection>,
}

/// What the session has seen, which counts as long as no catalog changes.
#[derive(Default)]
struct Seen {
    digest: CatalogDigest,
    fingerprints: HashMap<(u32, String), Option<i64>>,
}

impl Seen {
    /// Begins a round of comparisons of `count` relations. Returns the number of the vocabulary.
    fn begin(&mut self, connection: &mut FeedConnection, known: &Known, count: usize) -> Result<i64, Lost> {
        let verdict = self.digest.renew(connection, known, count)?;
        if !verdict.is_same {
            self.fingerprints.clear();
        }
        Ok(verdict.vocabulary)
    }

    /// The fingerprint of each relation: those that were not seen are asked for.
    fn compare(
        &mut self,
        connection: &mut FeedConnection,
        relations: Vec<(u32, String)>,
    ) -> Result<Vec<(u32, Option<i64>)>, Lost> {
        let (seen, unseen): (Vec<_>, Vec<_>) =
            relations.into_iter().partition(|relation| self.fingerprints.contains_key(relation));
        let mut all: Vec<_> =
            seen.iter().filter_map(|relation| Some((relation.0, *self.fingerprints.get(relation)?))).collect();
        if !unseen.is_empty() {
            let asked = fingerprints::compare(connection, &unseen)?;
            let mut names: HashMap<u32, String> = unseen.into_iter().collect();
            let keys = asked.iter().filter_map(|(oid, print)| Some(((*oid, names.remove(oid)?), *print)));
            self.fingerprints.extend(keys);
            all.extend(asked);
        }
        Ok(all)
    }
}

impl Definitions {
    /// Connects to nothing yet. Its connections end with `shutdown`.
    ///
    /// # Errors
    /// A TLS file that is of no use.
    pub fn new(
        settings: Arc<SourceSettings>,
        shutdown: Shutdown,
        pulses: Arc<Pulses>,
        known: Arc<Known>,
    ) -> Result<Self, Error> {
        let connector = Connector::new(settings, DEFINITIONS, shutdown)?;
        let (comparison, seen) = (Comparison::default(), Seen::default());
        Ok(Self { connector, pulses, known, comparison, seen, connection: None })
    }
}

impl Feed for Definitions {
    fn open(&mut self) -> Result<(), Lost> {
        self.close();
        self.connection = Some(FeedConnection::open(&self.connector, &self.pulses)?);
        Ok(())
    }

    fn listen(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(connection) = &mut self.connection else { return Err(Lost("there is no session".into())) };
        connection.expect_signs(max_staleness);
        match self.comparison.next(&self.known) {
            Some(Due::Vocabulary(count)) => {
                tell(FeedEvent::Vocabulary(self.seen.begin(connection, &self.known, count)?));
            }
            Some(Due::Relations(slice)) => tell(FeedEvent::Fingerprints(self.seen.compare(connection, slice)?)),
            None => self.known.await_hurry(PATIENCE),
        }
        if let Some(began) = self.comparison.done() {
            self.known.compared(began);
        }
        Ok(())
    }

    fn close(&mut self) {
        // What was under way has not been told.
        self.comparison = Comparison::default();
        self.seen = Seen::default();
        self.connection = None;
    }

    fn forget(&mut self) {
        self.close();
    }
}
