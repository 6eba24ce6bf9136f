//! Which events are published.

/// A kind of event on the channel `pg_cache_events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// A read was answered from memory.
    CacheHit,
    /// A read had to ask PostgreSQL.
    CacheMiss,
    /// A client wrote an entry.
    CacheWrite,
    /// An entry was invalidated.
    CacheInvalidate,
    /// PostgreSQL answered a load.
    CacheLoad,
    /// An entry's time to live passed.
    CacheExpire,
    /// The server evicted an entry.
    CacheEvict,
    /// All entries of a table were dropped.
    TableFlush,
    /// All entries that carry a tag were dropped.
    TagInvalidate,
    /// A source answers again.
    SourceUp,
    /// A source no longer answers.
    SourceDown,
    /// A command or a load failed.
    CacheError,
}

impl EventType {
    /// Every type, in the order of the documentation.
    pub const ALL: [Self; 12] = [
        Self::CacheHit,
        Self::CacheMiss,
        Self::CacheWrite,
        Self::CacheInvalidate,
        Self::CacheLoad,
        Self::CacheExpire,
        Self::CacheEvict,
        Self::TableFlush,
        Self::TagInvalidate,
        Self::SourceUp,
        Self::SourceDown,
        Self::CacheError,
    ];

    /// The name in the setting and in an event's `type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::CacheHit => "cache_hit",
            Self::CacheMiss => "cache_miss",
            Self::CacheWrite => "cache_write",
            Self::CacheInvalidate => "cache_invalidate",
            Self::CacheLoad => "cache_load",
            Self::CacheExpire => "cache_expire",
            Self::CacheEvict => "cache_evict",
            Self::TableFlush => "table_flush",
            Self::TagInvalidate => "tag_invalidate",
            Self::SourceUp => "source_up",
            Self::SourceDown => "source_down",
            Self::CacheError => "cache_error",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// A set of event types; asking it costs one instruction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventTypes(u32);

impl EventTypes {
    /// Reads `all`, `none`, or a comma-separated list of names. `None` when a name is not known.
    pub fn parse(list: &str) -> Option<Self> {
        match list.trim() {
            "all" => return Some(EventType::ALL.into_iter().collect()),
            "none" | "" => return Some(Self::default()),
            _ => {}
        }
        list.split(',').map(|name| EventType::named(name.trim())).collect()
    }

    /// Whether events of this type are published.
    pub fn contains(self, event: EventType) -> bool {
        self.0 & event.bit() != 0
    }

    /// Whether nothing is published at all.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<EventType> for EventTypes {
    fn from_iter<I: IntoIterator<Item = EventType>>(events: I) -> Self {
        Self(events.into_iter().fold(0, |bits, event| bits | event.bit()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_its_members() {
        let events = EventTypes::parse("cache_hit, tag_invalidate, source_down").unwrap();
        let named: Vec<EventType> =
            EventType::ALL.into_iter().filter(|event| events.contains(*event)).collect();
        assert_eq!(named, [EventType::CacheHit, EventType::TagInvalidate, EventType::SourceDown]);
    }

    #[test]
    fn all_and_none_are_words_of_their_own() {
        let all = EventTypes::parse("all").unwrap();
        assert!(EventType::ALL.into_iter().all(|event| all.contains(event)));
        assert!(EventTypes::parse("none").unwrap().is_empty());
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert_eq!(EventTypes::parse("cache_hit,hits"), None);
        assert_eq!(EventTypes::parse("cache_hit,"), None);
    }
}
