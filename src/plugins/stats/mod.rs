//! Statistics: what was done, for whom, and how long it took.

pub mod latency;
pub mod query;
pub mod rate;
pub mod recent;
pub mod report;
pub mod statistics;
pub mod table;

use std::cell::{Ref, RefCell};
use std::rc::Rc;

use statistics::Statistics;

use super::call::CommandEnd;
use super::event::Event;
use super::health;
use super::overview::Overview;
use super::page::{Page, Report, JSON};
use super::plugin::{EventContext, Plugin};
use crate::cache::Value;
use crate::clock::monotonic_ms;
use crate::settings::{EventType, EventTypes, PluginName, Settings};

/// The figures, shared by the plugin and the command that shows them.
#[derive(Debug, Default, Clone)]
pub struct Stats(Rc<RefCell<Statistics>>);

impl Stats {
    /// The figures as they stand.
    pub fn statistics(&self) -> Ref<'_, Statistics> {
        self.0.borrow()
    }

    /// Everything that there is to tell.
    pub fn report(&self, overview: &Overview) -> Value {
        report::everything(&mut self.0.borrow_mut(), overview, monotonic_ms() / 1000)
    }

    /// Begins anew.
    pub fn reset(&self) {
        *self.0.borrow_mut() = Statistics::default();
    }

    /// A command was answered.
    pub(super) fn ended(&self, call: &CommandEnd<'_>) {
        self.0.borrow_mut().ended(call);
    }

    /// Counts an event for the table or the query that it is about, if it is about one.
    pub(super) fn count(&self, event: &Event<'_>) {
        let mut statistics = self.0.borrow_mut();
        if event.query.is_some() {
            return statistics.queries.count(event);
        }
        let table = if event.kind == EventType::Hit { statistics.latest_table(event) } else { statistics.table(event) };
        if let Some(table) = table {
            table.count(event);
        }
    }
}

impl Plugin for Stats {
    fn name(&self) -> PluginName {
        PluginName::Stats
    }

    fn subscribes_to(&self, _: &Settings) -> EventTypes {
        EventType::AfterCommand
            | EventType::Hit
            | EventType::Miss
            | EventType::Load
            | EventType::Error
            | EventType::Write
            | EventType::Invalidate
            | EventType::TableFlush
    }

    fn after_command(&self, _: EventContext<'_>, call: &CommandEnd<'_>) {
        self.ended(call);
    }

    fn on_event(&self, _: EventContext<'_>, event: &Event<'_>) {
        self.count(event);
    }

    fn pages(&self, report: &Report) -> Vec<Page> {
        let (stats, health) = (self.report(&report.overview), health::described(&report.overview));
        // Asked for once a second, so that they are those of a second.
        let recent = report::latencies(&self.0.borrow_mut().recent_latencies());
        let (at_ms, uptime_s) = (report.overview.at_ms, report.overview.uptime_s);
        vec![Page::new("/stats.json", JSON, move |age| {
            format!(
                r#"{{"at_ms":{at_ms},"age_ms":{},"version":"{}","uptime_s":{uptime_s},"stats":{},"recent_latency_us":{},"health":{}}}"#,
                age.as_millis(),
                env!("CARGO_PKG_VERSION"),
                stats.to_json(),
                recent.to_json(),
                health.to_json()
            )
        })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_no_table_counts_for_none() {
        let stats = Stats::default();
        let event = Event { query: Some("top"), source: "default", ..Event::new(EventType::Hit) };
        stats.count(&event.key(b"pg_cache:@query:top:[1]", 20));
        assert!(stats.statistics().all_tables().is_empty() && stats.statistics().busiest().is_empty());
        assert_eq!(stats.statistics().queries.named(b"top").map(|query| query.hits), Some(1));
    }

    #[test]
    fn queries_count_in_the_totals() {
        let stats = Stats::default();
        // The engine counts hits and misses, whatever they are about.
        let overview = Overview { counters: vec![("hits", 3), ("misses", 1)], ..Overview::default() };
        let told = stats.report(&overview).to_json();
        assert!(told.contains(r#""hit_ratio":0.75"#) && told.contains(r#""busiest_tables":{}"#), "{told}");
    }
}
