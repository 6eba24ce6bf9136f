//! Progress: how far the changes of a PostgreSQL server were applied, so that another server of ours can tell whether it is far enough.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{Lsn, PgSnapshot};

/// How far, in one run of a PostgreSQL server: positions and snapshots of another run, or of another server, say nothing about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// When the postmaster was started, as PostgreSQL writes it.
    started: Arc<str>,
    reached: Reached,
}

/// What was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reached {
    /// Every commit up to there.
    Position(Lsn),
    /// Every commit that is visible in it.
    Snapshot(PgSnapshot),
}

impl Progress {
    /// Every commit up to `position` was applied.
    pub fn to_position(started: &str, position: Lsn) -> Self {
        Self { started: started.into(), reached: Reached::Position(position) }
    }

    /// Every commit that is visible in `snapshot` was applied.
    pub fn to_snapshot(started: &str, snapshot: PgSnapshot) -> Self {
        Self { started: started.into(), reached: Reached::Snapshot(snapshot) }
    }

    /// Whether whoever has come this far has applied all of `other`.
    pub fn covers(&self, other: &Self) -> bool {
        self.started == other.started
            && match (&self.reached, &other.reached) {
                (Reached::Position(ours), Reached::Position(theirs)) => ours >= theirs,
                (Reached::Snapshot(ours), Reached::Snapshot(theirs)) => ours.covers(theirs),
                (Reached::Position(_), Reached::Snapshot(_)) | (Reached::Snapshot(_), Reached::Position(_)) => false,
            }
    }
}

impl FromStr for Progress {
    type Err = ();

    /// Reads what [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (started, reached) = text.split_once('@').ok_or(())?;
        let reached = match reached.parse() {
            Ok(position) => Reached::Position(position),
            Err(()) => Reached::Snapshot(reached.parse()?),
        };
        Ok(Self { started: started.into(), reached })
    }
}

impl fmt::Display for Progress {
    /// `1764060000.25@16/B374D848` or `1764060000.25@740:745:741`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reached {
            Reached::Position(position) => write!(f, "{}@{position}", self.started),
            Reached::Snapshot(snapshot) => write!(f, "{}@{snapshot}", self.started),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn progress(text: &str) -> Progress {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_written_is_read_again() {
        for text in ["1764060000.25@16/B374D848", "@0/0", "1@5:5:", "1@5:9:5,7"] {
            assert_eq!(progress(text).to_string(), text);
        }
        for text in ["", "1", "1@", "1@x", "1@5:6", "1@5:6:x"] {
            assert_eq!(text.parse::<Progress>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_later_position_covers_an_earlier_one() {
        assert!(progress("1@0/5").covers(&progress("1@0/5")) && progress("1@1/0").covers(&progress("1@0/5")));
        assert!(!progress("1@0/4").covers(&progress("1@0/5")));
    }

    #[test]
    fn another_run_of_postgresql_covers_nothing() {
        assert!(!progress("2@0/9").covers(&progress("1@0/5")));
        assert!(!progress("2@9:9:").covers(&progress("1@5:5:")));
    }

    #[test]
    fn positions_and_snapshots_are_not_compared() {
        assert!(!progress("1@9:9:").covers(&progress("1@0/5")) && !progress("1@0/9").covers(&progress("1@5:5:")));
    }
}
