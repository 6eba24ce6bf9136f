//! The identity of a server: which PostgreSQL answers, to tell another one, and one that was restarted, from the one before.

use ::postgres::SimpleQueryRow;

use crate::cache::Gap;
use crate::cdc::connection::FeedConnection;
use crate::cdc::Lost;
use crate::postgres::Texts;

const IDENTITY: &str = include_str!("server_identity.sql");

/// By what a cluster is told from others, and a promoted standby from its primary. The timeline of the last
/// checkpoint would change only some time after the promotion.
const SYSTEM: &str = "(SELECT system_identifier FROM pg_catalog.pg_control_system())";
const TIMELINE: &str = "pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8)";

/// What says that a server is the one it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerIdentity {
    /// The cluster and its timeline; `None` where the role may not ask.
    place: (Option<String>, Option<String>),
    /// When its postmaster was started.
    started: String,
}

/// What a feed remembers of the sessions before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FormerServer {
    /// There was none.
    Nothing,
    /// There was one, and no more is known.
    Forgotten,
    /// The last one was with this server.
    Known(ServerIdentity),
}

impl ServerIdentity {
    /// Asks the server.
    ///
    /// # Errors
    /// What PostgreSQL says, or that it is a standby.
    pub(crate) fn read(connection: &mut FeedConnection) -> Result<Self, Lost> {
        let rows = match connection.ask(&question(SYSTEM, TIMELINE)) {
            Err(error) if error.code().is_some_and(|code| code.code() == "42501") => {
                connection.ask(&question("NULL", "NULL"))?
            }
            rows => rows?,
        };
        let row = rows.first().ok_or_else(|| Lost("the server does not say which one it is".into()))?;
        if row.text(0) == Some("t") {
            return Err(Lost(
                "the server is a standby (pg_is_in_recovery): change notices come from the primary".into(),
            ));
        }
        Ok(Self { place: (text(row, 1), text(row, 2)), started: text(row, 3).unwrap_or_default() })
    }

    /// When the postmaster was started, as [`Self::read`] has it.
    pub(crate) fn started(&self) -> &str {
        &self.started
    }

    /// Why something may have been missed when this server answers where `before` did.
    pub(crate) fn gap_since(&self, before: &Self) -> Option<Gap> {
        if self.place != before.place {
            Some(Gap::FailedOver)
        } else if self.started != before.started {
            Some(Gap::Restarted)
        } else {
            None
        }
    }
}

impl FormerServer {
    /// Why something may have been missed when `now` answers after all this.
    pub(crate) fn gap(&self, now: &ServerIdentity) -> Option<Gap> {
        match self {
            Self::Nothing => Some(Gap::Connected),
            Self::Forgotten => Some(Gap::Reconnected),
            Self::Known(before) => now.gap_since(before),
        }
    }
}

fn question(system: &str, timeline: &str) -> String {
    IDENTITY.replace("@system@", system).replace("@timeline@", timeline)
}

fn text(row: &SimpleQueryRow, column: usize) -> Option<String> {
    row.text(column).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(system: &str, timeline: &str, started: &str) -> ServerIdentity {
        ServerIdentity { place: (Some(system.into()), Some(timeline.into())), started: started.into() }
    }

    #[test]
    fn another_server_is_told_from_a_restart() {
        let before = identity("7", "1", "100.5");
        assert_eq!(before.gap_since(&before), None);
        assert_eq!(identity("7", "1", "101").gap_since(&before), Some(Gap::Restarted));
        assert_eq!(identity("7", "2", "101").gap_since(&before), Some(Gap::FailedOver));
        assert_eq!(identity("8", "1", "100.5").gap_since(&before), Some(Gap::FailedOver));
    }

    #[test]
    fn what_is_not_remembered_is_a_gap() {
        let now = identity("7", "1", "100.5");
        assert_eq!(FormerServer::Nothing.gap(&now), Some(Gap::Connected));
        assert_eq!(FormerServer::Known(now.clone()).gap(&now), None);
        assert_eq!(FormerServer::Forgotten.gap(&now), Some(Gap::Reconnected));
    }
}
