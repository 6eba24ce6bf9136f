//! How a source tells of changes, and what is done while it does not.

/// How PostgreSQL tells of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalidation {
    /// By NOTIFY.
    Notify,
    /// By a table that is polled.
    Outbox,
    /// By the write-ahead log, which a replication slot decodes.
    Wal,
    /// Not at all: entries live by their time to live alone.
    Off,
}

impl Invalidation {
    /// The words of the setting, in the order of the documentation.
    pub const WORDS: &'static [&'static str] = &["notify", "outbox", "wal", "off"];

    /// The table of settings admits no other word, so the last arm is `notify`, the default.
    pub(super) fn named(word: &str) -> Self {
        match word {
            "outbox" => Self::Outbox,
            "wal" => Self::Wal,
            "off" => Self::Off,
            _ => Self::Notify,
        }
    }

    /// The word of the setting.
    pub fn name(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::Outbox => "outbox",
            Self::Wal => "wal",
            Self::Off => "off",
        }
    }
}

/// What answers for the watched tables of a source whose notices are in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnGap {
    /// PostgreSQL: reads go through and are not stored.
    Bypass,
    /// The cache, as if nothing were in doubt.
    Serve,
}

impl OnGap {
    /// The words of the setting.
    pub const WORDS: &'static [&'static str] = &["bypass", "serve"];

    /// The table of settings admits no other word, so the last arm is `bypass`, the default.
    pub(super) fn named(word: &str) -> Self {
        match word {
            "serve" => Self::Serve,
            _ => Self::Bypass,
        }
    }
}
