//! How notices travel, and what differs in the SQL for it.

use std::fmt;

/// How a table's changes are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// NOTIFY on the channel `cache_invalidation`.
    Notify,
    /// Rows of `pgcache.outbox`, which servers poll.
    Outbox,
    /// The write-ahead log, of the tables in publication `pgcache`.
    Wal,
}

/// How many notices wait in the outbox at most.
macro_rules! bound {
    () => {
        "1000000"
    };
}

/// A full outbox takes no more: whoever polls finds out from the same figures, and takes it for a gap. Two queries
/// of one row cost less than a join.
macro_rules! room {
    () => {
        concat!(
            "(SELECT s.last_value FROM pgcache.outbox_id_seq s)
                   OPERATOR(pg_catalog.-) (SELECT l.last_value FROM pgcache.outbox_state_low_seq l) OPERATOR(pg_catalog.<=) ",
            bound!()
        )
    };
}

const SEND_OUTBOX: &str = concat!("INSERT INTO pgcache.outbox (notice) SELECT said\n             WHERE ", room!(), ";");

impl Mode {
    /// How many notices wait in the outbox at most.
    pub(crate) const OUTBOX_BOUND: &'static str = bound!();

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Notify, Self::Outbox, Self::Wal].into_iter().find(|mode| mode.name() == name)
    }

    /// `notify`, `outbox` or `wal`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Outbox => "outbox",
            Self::Wal => "wal",
        }
    }

    /// What the trigger functions are filled with.
    pub(crate) fn parts(self) -> [(&'static str, &'static str); 5] {
        match self {
            Self::Notify => [
                // PL/pgSQL takes a snapshot for every query and expression of a function that may write.
                ("volatility", " STABLE"),
                // A commit fails when the queue is full; servers take one that fills up for a gap.
                ("calm", " AND pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.<=) 0.5"),
                ("guard", "        IF pg_catalog.pg_notification_queue_usage() OPERATOR(pg_catalog.>) 0.5 THEN\n            RETURN NULL;\n        END IF;\n"),
                // An expression costs less than PERFORM, which runs a query.
                ("say", "IF pg_catalog.pg_notify('cache_invalidation', pgcache.seal(said)) IS NULL THEN END IF;"),
                ("send", "PERFORM pg_catalog.pg_notify('cache_invalidation', pgcache.seal(said));"),
            ],
            Self::Outbox | Self::Wal => [
                ("volatility", ""),
                ("calm", ""),
                ("guard", ""),
                ("say", SEND_OUTBOX),
                ("send", SEND_OUTBOX),
            ],
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
