//! What a plugin is: something that is told what the cache does, and keeps or passes on what it likes.

use std::fmt::Debug;

use prometheus::proto::MetricFamily;

use super::call::Ended;
use super::occurrence::Occurrence;
use super::page::{Page, Report};
use crate::server::context::Context;
use crate::settings::{EventType, Settings};

/// A part that a plugin may have. Parts that nobody has cost a look at an empty list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// [`Plugin::after_command`].
    AfterCommand,
    /// [`Plugin::on_hit`].
    Hit,
    /// [`Plugin::on_miss`].
    Miss,
    /// [`Plugin::on_load`].
    Load,
    /// [`Plugin::on_error`].
    Error,
    /// [`Plugin::on_write`].
    Write,
    /// [`Plugin::on_invalidate`].
    Invalidate,
    /// [`Plugin::on_table_flush`].
    TableFlush,
    /// [`Plugin::on_expire`].
    Expire,
    /// [`Plugin::on_evict`].
    Evict,
    /// [`Plugin::on_source`].
    Source,
}

impl Part {
    /// Every part, in the order of the enum.
    pub const ALL: [Self; 11] = [
        Self::AfterCommand,
        Self::Hit,
        Self::Miss,
        Self::Load,
        Self::Error,
        Self::Write,
        Self::Invalidate,
        Self::TableFlush,
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
            EventType::CacheExpire => Self::Expire,
            EventType::CacheEvict => Self::Evict,
            EventType::SourceUp | EventType::SourceDown => Self::Source,
        }
    }
}

/// What the plugins are told in: the callback under way, and the settings as they stand.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The callback's context.
    pub ctx: Context<'a>,
    /// The settings.
    pub settings: &'a Settings,
}

/// A plugin, on the server's main thread. Each part does nothing unless it is written; a part is only called when
/// [`parts`](Self::parts) names it.
pub trait Plugin: Debug {
    /// The parts that it has.
    fn parts(&self) -> &'static [Part];

    /// Whether it has a use for occurrences of this kind, as the settings stand.
    fn wants(&self, _: &Settings, _: EventType) -> bool {
        true
    }

    /// A command was answered.
    fn after_command(&mut self, _: Moment<'_>, _: &Ended<'_>) {}

    /// Its pages at the HTTP endpoint, as things stand. Asked for once a second while there is an endpoint.
    fn pages(&self, _: &Report) -> Vec<Page> {
        Vec::new()
    }

    /// Its own metrics, for the page that has them all. Asked for as often.
    fn metrics(&self) -> Vec<MetricFamily> {
        Vec::new()
    }

    /// Any occurrence whose own part is not written.
    fn on_any(&mut self, _: Moment<'_>, _: &Occurrence<'_>) {}

    /// A read was answered from memory.
    fn on_hit(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A read had to ask PostgreSQL.
    fn on_miss(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// PostgreSQL answered a load.
    fn on_load(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A load failed.
    fn on_error(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A client wrote an entry.
    fn on_write(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// An entry was invalidated.
    fn on_invalidate(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A whole table was dropped.
    fn on_table_flush(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// An entry's time to live passed.
    fn on_expire(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// The server evicted an entry.
    fn on_evict(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A source came up or went down.
    fn on_source(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_place() {
        assert!(Part::ALL.into_iter().enumerate().all(|(place, part)| part as usize == place));
    }
}
