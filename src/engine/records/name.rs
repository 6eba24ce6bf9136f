//! The records' names: what the announcements call them, and the keys that hold them.

/// What the module keeps among the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordName {
    /// The hooks.
    Hooks,
    /// The defined queries.
    Queries,
    /// What became of these since that record was written.
    QueryChanges,
}

impl RecordName {
    /// Every record.
    pub const ALL: [Self; 3] = [Self::Hooks, Self::Queries, Self::QueryChanges];

    /// Its name in an announcement.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hooks => "hooks",
            Self::Queries => "queries",
            Self::QueryChanges => "query-changes",
        }
    }

    /// The record that announcements call so.
    pub fn named(word: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.word().as_bytes() == word)
    }

    /// What a complaint calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Hooks => "hooks",
            Self::Queries => "queries",
            Self::QueryChanges => "changed queries",
        }
    }

    /// The key that holds it, after the cache prefix.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Hooks => "@hooks",
            Self::Queries => "@queries",
            Self::QueryChanges => "@queries.changes",
        }
    }

    /// The record whose key ends so after the cache prefix.
    pub fn of_suffix(suffix: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.suffix().as_bytes() == suffix)
    }
}
