//! The feed of definitions: what the catalog says of the known relations, on a connection of its own, so that no change
//! notice waits for it.

use std::sync::Arc;
use std::time::Duration;

use super::comparison::{Comparison, Due};
use super::feed::{Feed, Lost, Tell};
use super::fingerprint;
use super::known::Known;
use super::line::Line;
use super::vocabulary;
use super::News;
use crate::cache::error::Error;
use crate::postgres::connect::{Connector, DEFINITIONS};
use crate::settings::SourceSettings;

/// How long nothing is done at a time, so that the end of the module does not wait longer.
const PATIENCE: Duration = Duration::from_millis(50);

/// Compares all of them once a second, and at once when somebody is in a hurry.
pub struct Definitions {
    connector: Connector,
    known: Arc<Known>,
    comparison: Comparison,
    line: Option<Line>,
}

impl Definitions {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// A TLS file that is of no use.
    pub fn new(settings: Arc<SourceSettings>, known: Arc<Known>) -> Result<Self, Error> {
        let connector = Connector::new(settings, DEFINITIONS)?;
        Ok(Self { connector, known, comparison: Comparison::default(), line: None })
    }
}

impl Feed for Definitions {
    fn open(&mut self) -> Result<(), Lost> {
        self.close();
        self.line = Some(Line::open(&self.connector)?);
        Ok(())
    }

    fn listen(&mut self, max_staleness: Duration, tell: &mut Tell<'_>) -> Result<(), Lost> {
        let Some(line) = &mut self.line else { return Err(Lost("there is no session".into())) };
        line.expect_signs(max_staleness);
        match self.comparison.next(&self.known) {
            Some(Due::Vocabulary) => tell(News::Vocabulary(vocabulary::ask(line)?)),
            Some(Due::Relations(slice)) => tell(News::Fingerprints(fingerprint::compare(line, &slice)?)),
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
        self.line = None;
    }

    fn forget(&mut self) {
        self.close();
    }
}
