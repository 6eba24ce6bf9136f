//! Trimming the outbox: rows that every server has had time to read are removed, by whichever server comes first.

use std::time::{Duration, Instant};

use crate::cdc::connection::FeedConnection;
use crate::cdc::Lost;
use crate::postgres::{is_lost, Texts};

const TRIM: &str = include_str!("outbox_trim.sql");

/// How often a server polls whether there is something to remove, and again after a slice that was full.
const PAUSE: Duration = Duration::from_secs(10);
const SLICE_PAUSE: Duration = Duration::from_millis(100);
/// Rows in a slice: removing them does not hold up the notices for long.
const SLICE: usize = 2000;
/// The least time that a row stays.
const AGE: &str = "60 s";

/// When to poll next.
#[derive(Debug)]
pub(crate) struct Trim {
    due: Instant,
    was_refused: bool,
}

impl Trim {
    /// Not at once, and not at the same time as other servers.
    pub(crate) fn new() -> Self {
        Self { due: Instant::now() + PAUSE.mul_f64(0.5 + fastrand::f64()), was_refused: false }
    }

    /// Removes a slice when it is time. A role that may not leaves it to others.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(crate) fn if_due(&mut self, connection: &mut FeedConnection) -> Result<(), Lost> {
        if Instant::now() < self.due {
            return Ok(());
        }
        let sql = TRIM.replace("@age@", AGE).replace("@limit@", &SLICE.to_string());
        let pause = match connection.ask(&sql) {
            Ok(rows) => {
                let size = rows.first().and_then(|row| row.text(0)?.parse().ok());
                if size.is_some_and(|size: usize| size >= SLICE) {
                    SLICE_PAUSE
                } else {
                    PAUSE
                }
            }
            Err(error) if is_lost(&error) => return Err(error.into()),
            Err(error) => {
                if !std::mem::replace(&mut self.was_refused, true) {
                    log::warn!("the outbox is not trimmed from here: {}", Lost::from(error));
                }
                PAUSE
            }
        };
        self.due = Instant::now() + pause;
        Ok(())
    }
}
