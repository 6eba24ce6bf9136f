//! Which events are published.

use enumset::{EnumSet, EnumSetType};

/// A kind of event on the channel `pg_cache_events`.
#[derive(Debug, EnumSetType)]
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
        EventTypes::all().iter().find(|event| event.name() == name)
    }

    /// Reads `all`, `none`, or a comma-separated list of names. `None` when a name is not known.
    pub fn set_of(list: &str) -> Option<EventTypes> {
        match list.trim() {
            "all" => return Some(EventTypes::all()),
            "none" | "" => return Some(EventTypes::empty()),
            _ => {}
        }
        list.split(',').map(|name| Self::named(name.trim())).collect()
    }
}

/// A set of event types.
pub type EventTypes = EnumSet<EventType>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_its_members() {
        let events = EventType::set_of("cache_hit, tag_invalidate, source_down");
        assert_eq!(events, Some(EventType::CacheHit | EventType::TagInvalidate | EventType::SourceDown));
    }

    #[test]
    fn all_and_none_are_words_of_their_own() {
        assert_eq!(EventType::set_of("all"), Some(EventTypes::all()));
        assert_eq!(EventType::set_of("none"), Some(EventTypes::empty()));
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert_eq!(EventType::set_of("cache_hit,hits"), None);
        assert_eq!(EventType::set_of("cache_hit,"), None);
    }
}
