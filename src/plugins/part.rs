//! Parts: what a plugin may have a say in, or be told of.

use enumset::{EnumSet, EnumSetType};

use crate::settings::EventType;

/// A part that a plugin may have. Parts that nobody has cost a look at an empty list.
#[derive(Debug, EnumSetType)]
pub enum Part {
    /// [`Plugin::may_access`](super::plugin::Plugin::may_access).
    Access,
    /// [`Plugin::before_command`](super::plugin::Plugin::before_command). While anybody has it, the tables and keys of
    /// commands are found before they run, and told at their end as well.
    BeforeCommand,
    /// [`Plugin::after_command`](super::plugin::Plugin::after_command).
    AfterCommand,
    /// [`Plugin::on_startup`](super::plugin::Plugin::on_startup).
    Startup,
    /// [`Plugin::on_shutdown`](super::plugin::Plugin::on_shutdown).
    Shutdown,
    /// [`Plugin::on_hit`](super::plugin::Plugin::on_hit).
    Hit,
    /// [`Plugin::on_miss`](super::plugin::Plugin::on_miss).
    Miss,
    /// [`Plugin::on_load`](super::plugin::Plugin::on_load).
    Load,
    /// [`Plugin::on_error`](super::plugin::Plugin::on_error).
    Error,
    /// [`Plugin::on_write`](super::plugin::Plugin::on_write).
    Write,
    /// [`Plugin::on_invalidate`](super::plugin::Plugin::on_invalidate).
    Invalidate,
    /// [`Plugin::on_table_flush`](super::plugin::Plugin::on_table_flush).
    TableFlush,
    /// [`Plugin::on_tag_invalidate`](super::plugin::Plugin::on_tag_invalidate).
    TagInvalidate,
    /// [`Plugin::on_expire`](super::plugin::Plugin::on_expire).
    Expire,
    /// [`Plugin::on_evict`](super::plugin::Plugin::on_evict).
    Evict,
    /// [`Plugin::on_source`](super::plugin::Plugin::on_source).
    Source,
}

impl Part {
    /// Every part, in the order of the enum.
    pub const ALL: [Self; 16] = [
        Self::Access,
        Self::BeforeCommand,
        Self::AfterCommand,
        Self::Startup,
        Self::Shutdown,
        Self::Hit,
        Self::Miss,
        Self::Load,
        Self::Error,
        Self::Write,
        Self::Invalidate,
        Self::TableFlush,
        Self::TagInvalidate,
        Self::Expire,
        Self::Evict,
        Self::Source,
    ];

    /// The part that is told of such an occurrence.
    pub fn of(kind: EventType) -> Self {
        match kind {
            EventType::CacheHit => Self::Hit,
            EventType::CacheMiss => Self::Miss,
            EventType::CacheLoad => Self::Load,
            EventType::CacheError => Self::Error,
            EventType::CacheWrite => Self::Write,
            EventType::CacheInvalidate => Self::Invalidate,
            EventType::TableFlush => Self::TableFlush,
            EventType::TagInvalidate => Self::TagInvalidate,
            EventType::CacheExpire => Self::Expire,
            EventType::CacheEvict => Self::Evict,
            EventType::SourceUp | EventType::SourceDown => Self::Source,
        }
    }
}

/// A set of parts.
pub type Parts = EnumSet<Part>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_place() {
        assert!(Part::ALL.into_iter().enumerate().all(|(place, part)| part as usize == place));
    }

    #[test]
    fn a_dropped_tag_is_no_dropped_table() {
        assert_eq!(Part::of(EventType::TagInvalidate), Part::TagInvalidate);
        assert_eq!(Part::of(EventType::TableFlush), Part::TableFlush);
    }
}
