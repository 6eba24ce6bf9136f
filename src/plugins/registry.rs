//! The plugins at work, and who is told of what.

use std::sync::Arc;

use super::call::Ended;
use super::events::Events;
use super::metrics::Metrics;
use super::occurrence::Occurrence;
use super::overview::Overview;
use super::page::{Page, Report};
use super::plugin::{Moment, Part, Plugin};
use super::slowlog::SlowLog;
use super::stats::Stats;
use crate::settings::{EventType, Settings};

/// All plugins, with those that have each part.
#[derive(Debug)]
pub struct Plugins {
    all: Vec<Box<dyn Plugin>>,
    by_part: [Vec<usize>; Part::ALL.len()],
    /// What the slow log's own command shows.
    pub slowlog: SlowLog,
    /// What the command for statistics shows.
    pub stats: Stats,
    metrics: Metrics,
}

impl Default for Plugins {
    fn default() -> Self {
        let (slowlog, stats) = (SlowLog::default(), Stats::default());
        let metrics = Metrics::of(stats.clone());
        let all: Vec<Box<dyn Plugin>> = vec![
            Box::new(stats.clone()),
            Box::new(metrics.clone()),
            Box::new(slowlog.clone()),
            Box::new(Events),
        ];
        Self { by_part: by_part(&all), all, slowlog, stats, metrics }
    }
}

/// The positions of those that have each part, in order.
fn by_part(all: &[Box<dyn Plugin>]) -> [Vec<usize>; Part::ALL.len()] {
    let parts: Vec<&[Part]> = all.iter().map(|plugin| plugin.parts()).collect();
    Part::ALL.map(|part| {
        let having = parts.iter().enumerate().filter(|(_, parts)| parts.contains(&part));
        having.map(|(place, _)| place).collect()
    })
}

impl Plugins {
    /// Tells of an occurrence.
    pub fn tell(&mut self, moment: Moment<'_>, what: &Occurrence<'_>) {
        let part = Part::of(what.kind);
        self.each(part, |plugin| match part {
            Part::AfterCommand => {}
            Part::Hit => plugin.on_hit(moment, what),
            Part::Miss => plugin.on_miss(moment, what),
            Part::Load => plugin.on_load(moment, what),
            Part::Error => plugin.on_error(moment, what),
            Part::Write => plugin.on_write(moment, what),
            Part::Invalidate => plugin.on_invalidate(moment, what),
            Part::TableFlush => plugin.on_table_flush(moment, what),
            Part::Expire => plugin.on_expire(moment, what),
            Part::Evict => plugin.on_evict(moment, what),
            Part::Source => plugin.on_source(moment, what),
        });
    }

    /// Whether anybody has a use for occurrences of this kind: for those that are costly to tell.
    pub fn want(&self, settings: &Settings, kind: EventType) -> bool {
        let having = self.by_part.get(Part::of(kind) as usize).map_or(&[][..], Vec::as_slice);
        having.iter().filter_map(|place| self.all.get(*place)).any(|plugin| plugin.wants(settings, kind))
    }

    /// Tells that a command was answered.
    pub fn ended(&mut self, moment: Moment<'_>, call: &Ended<'_>) {
        self.each(Part::AfterCommand, |plugin| plugin.after_command(moment, call));
    }

    /// Everyone's pages.
    pub fn pages(&self, overview: Overview) -> Vec<Page> {
        let metrics = self.all.iter().flat_map(|plugin| plugin.metrics()).collect();
        let report = Report { overview: Arc::new(overview), metrics };
        self.all.iter().flat_map(|plugin| plugin.pages(&report)).collect()
    }

    /// Has all figures begin anew.
    pub fn reset(&self) {
        self.stats.reset();
        self.metrics.reset();
    }

    fn each(&mut self, part: Part, mut tell: impl FnMut(&mut dyn Plugin)) {
        let Self { all, by_part, .. } = self;
        for place in by_part.get(part as usize).map_or(&[][..], Vec::as_slice) {
            if let Some(plugin) = all.get_mut(*place) {
                tell(&mut **plugin);
            }
        }
    }
}
