//! Event types: what plugins and hooks are told of, and what is published on the channel `pg_cache_events`.

use enumset::{EnumSet, EnumSetType};

/// A type of event. One that nobody subscribes to costs a look at an empty list.
#[derive(Debug, EnumSetType, Hash)]
pub enum EventType {
    /// A user asks for keys: a plugin may refuse.
    Access,
    /// A command is about to run: a plugin may refuse. While anybody subscribes, the tables and keys of commands are found
    /// before they run, and told at their end as well.
    BeforeCommand,
    /// A command was answered.
    AfterCommand,
    /// A read was answered from memory.
    Hit,
    /// A read had to ask PostgreSQL.
    Miss,
    /// PostgreSQL answered a load.
    Load,
    /// A client wrote an entry.
    Write,
    /// An entry was invalidated.
    Invalidate,
    /// All entries of a table were dropped.
    TableFlush,
    /// All entries that carry a tag were dropped.
    TagInvalidate,
    /// An entry's time to live passed.
    Expire,
    /// The server evicted an entry.
    Evict,
    /// The module is at work, with the data set loaded.
    Startup,
    /// The server ends, or unloads the module.
    Shutdown,
    /// A source answers again.
    SourceUp,
    /// A source no longer answers.
    SourceDown,
    /// A command or a load failed.
    Error,
}

impl EventType {
    /// How many types there are.
    pub const COUNT: usize = Self::Error as usize + 1;

    /// The names that the setting `events` takes.
    pub const PUBLISHED: [&'static str; 12] = [
        "cache_hit",
        "cache_miss",
        "cache_load",
        "cache_write",
        "cache_invalidate",
        "table_flush",
        "tag_invalidate",
        "cache_expire",
        "cache_evict",
        "source_up",
        "source_down",
        "cache_error",
    ];

    /// Its name in the setting `events`; `None`: it is not published.
    pub fn channel_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Hit => "cache_hit",
            Self::Miss => "cache_miss",
            Self::Write => "cache_write",
            Self::Invalidate => "cache_invalidate",
            Self::Load => "cache_load",
            Self::Expire => "cache_expire",
            Self::Evict => "cache_evict",
            Self::TableFlush => "table_flush",
            Self::TagInvalidate => "tag_invalidate",
            Self::SourceUp => "source_up",
            Self::SourceDown => "source_down",
            Self::Error => "cache_error",
            Self::Access | Self::BeforeCommand | Self::AfterCommand | Self::Startup | Self::Shutdown => return None,
        })
    }

    /// Its name in `PGCACHE.HOOK`; `None`: no hook runs on it.
    pub fn hook_name(self) -> Option<&'static str> {
        Some(match self {
            Self::BeforeCommand => "before_command",
            Self::AfterCommand => "after_command",
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Load => "load",
            Self::Write => "write",
            Self::Invalidate => "invalidate",
            Self::TableFlush => "table_flush",
            Self::TagInvalidate => "tag_invalidate",
            Self::Expire => "expire",
            Self::Evict => "evict",
            Self::Startup => "startup",
            Self::Shutdown => "shutdown",
            Self::Access | Self::SourceUp | Self::SourceDown | Self::Error => return None,
        })
    }

    /// Its name in the `type` of an event as JSON.
    pub fn name(self) -> &'static str {
        self.channel_name().or(self.hook_name()).unwrap_or("access")
    }

    /// Those that hooks run on, in the order of the documentation.
    pub fn for_hooks() -> impl Iterator<Item = Self> {
        EventTypes::all().into_iter().filter(|event| event.hook_name().is_some())
    }

    /// The one that hooks call so, in whatever case.
    pub fn of_hook(name: &str) -> Option<Self> {
        Self::for_hooks().find(|event| event.hook_name().is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }

    /// Reads `all`, `none`, or a comma-separated list of names of what is published. `None` when a name is not known.
    pub fn published(list: &str) -> Option<EventTypes> {
        let published = EventTypes::all().into_iter().filter(|event| event.channel_name().is_some());
        match list.trim() {
            "all" => Some(published.collect()),
            "none" | "" => Some(EventTypes::empty()),
            names => names
                .split(',')
                .map(|name| published.clone().find(|event| event.channel_name() == Some(name.trim())))
                .collect(),
        }
    }
}

/// A set of event types.
pub type EventTypes = EnumSet<EventType>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_its_members() {
        let events = EventType::published("cache_hit, tag_invalidate, source_down");
        assert_eq!(events, Some(EventType::Hit | EventType::TagInvalidate | EventType::SourceDown));
    }

    #[test]
    fn all_and_none_are_words_of_their_own() {
        assert_eq!(EventType::published("all").map(|all| all.len()), Some(12));
        assert_eq!(EventType::published("none"), Some(EventTypes::empty()));
    }

    #[test]
    fn every_published_type_is_listed() {
        let published = EventTypes::all().into_iter().filter_map(EventType::channel_name);
        assert_eq!(published.collect::<Vec<_>>(), EventType::PUBLISHED);
    }

    #[test]
    fn an_unknown_name_is_refused() {
        for name in ["cache_hit,hits", "cache_hit,", "startup"] {
            assert_eq!(EventType::published(name), None, "{name}");
        }
    }

    #[test]
    fn every_event_of_hooks_has_a_name_of_its_own() {
        assert!(EventType::for_hooks().all(|event| event.hook_name().and_then(EventType::of_hook) == Some(event)));
        assert_eq!(EventType::of_hook("BEFORE_Command"), Some(EventType::BeforeCommand));
        assert_eq!(EventType::of_hook("cache_hit"), None);
        assert_eq!(EventType::for_hooks().count(), 13);
    }

    #[test]
    fn types_are_numbered_without_gaps() {
        assert!(EventTypes::all().iter().enumerate().all(|(place, event)| event as usize == place));
        assert_eq!(EventTypes::all().len(), EventType::COUNT);
    }
}
