//! What hooks are run on.

use crate::plugins::part::Part;
use crate::settings::EventType;

/// What a hook is run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookEvent {
    /// A command is about to run.
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
    /// A whole table was dropped.
    TableFlush,
    /// A tag was dropped.
    TagInvalidate,
    /// An entry's time to live passed.
    Expire,
    /// The server evicted an entry.
    Evict,
    /// The module is at work.
    Startup,
    /// The module comes to its end.
    Shutdown,
}

impl HookEvent {
    /// Every event, in the order of the documentation.
    pub const ALL: [Self; 13] = [
        Self::BeforeCommand,
        Self::AfterCommand,
        Self::Hit,
        Self::Miss,
        Self::Load,
        Self::Write,
        Self::Invalidate,
        Self::TableFlush,
        Self::TagInvalidate,
        Self::Expire,
        Self::Evict,
        Self::Startup,
        Self::Shutdown,
    ];

    /// Its name in the command.
    pub fn name(self) -> &'static str {
        match self {
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
        }
    }

    /// The event of that name, in whatever case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name().eq_ignore_ascii_case(name))
    }

    /// The event of such an occurrence; those of failed loads and of sources have none.
    pub fn of(kind: EventType) -> Option<Self> {
        Some(match kind {
            EventType::CacheHit => Self::Hit,
            EventType::CacheMiss => Self::Miss,
            EventType::CacheLoad => Self::Load,
            EventType::CacheWrite => Self::Write,
            EventType::CacheInvalidate => Self::Invalidate,
            EventType::TableFlush => Self::TableFlush,
            EventType::TagInvalidate => Self::TagInvalidate,
            EventType::CacheExpire => Self::Expire,
            EventType::CacheEvict => Self::Evict,
            EventType::CacheError | EventType::SourceUp | EventType::SourceDown => return None,
        })
    }

    /// The parts that a plugin needs to be told of it. What a command is about is only known at its end where somebody
    /// was asked before.
    pub fn parts(self) -> &'static [Part] {
        match self {
            Self::BeforeCommand => &[Part::BeforeCommand],
            Self::AfterCommand => &[Part::BeforeCommand, Part::AfterCommand],
            Self::Hit => &[Part::Hit],
            Self::Miss => &[Part::Miss],
            Self::Load => &[Part::Load],
            Self::Write => &[Part::Write],
            Self::Invalidate => &[Part::Invalidate],
            Self::TableFlush => &[Part::TableFlush],
            Self::TagInvalidate => &[Part::TagInvalidate],
            Self::Expire => &[Part::Expire],
            Self::Evict => &[Part::Evict],
            Self::Startup => &[Part::Startup],
            Self::Shutdown => &[Part::Shutdown],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::EventTypes;

    #[test]
    fn every_event_has_a_name_of_its_own() {
        assert!(HookEvent::ALL.into_iter().all(|event| HookEvent::named(event.name()) == Some(event)));
        assert_eq!(HookEvent::named("BEFORE_Command"), Some(HookEvent::BeforeCommand));
        assert_eq!(HookEvent::named("cache_hit"), None);
    }

    #[test]
    fn the_part_of_an_event_is_that_of_its_occurrences() {
        for kind in EventTypes::all() {
            let Some(event) = HookEvent::of(kind) else { continue };
            assert_eq!(event.parts(), [Part::of(kind)], "{kind:?}");
        }
        assert_eq!(HookEvent::of(EventType::TagInvalidate), Some(HookEvent::TagInvalidate));
    }
}
