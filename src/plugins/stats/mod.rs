//! Statistics: what was done, for whom, and how long it took.

pub mod history;
pub mod latency;
pub mod query;
pub mod rate;
pub mod recent;
pub mod report;
pub mod statistics;
pub mod table;

use std::cell::{Ref, RefCell};
use std::rc::Rc;

use history::History;
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
pub struct Stats {
    figures: Rc<RefCell<Statistics>>,
    /// What the page shows of the last hour; empty without an HTTP endpoint.
    history: Rc<RefCell<History>>,
}

impl Stats {
    /// The figures as they stand.
    pub fn statistics(&self) -> Ref<'_, Statistics> {
        self.figures.borrow()
    }

    /// Everything that there is to tell.
    pub fn report(&self, overview: &Overview) -> Value {
        report::everything(&mut self.figures.borrow_mut(), overview, monotonic_ms() / 1000)
    }

    /// Begins anew.
    pub fn reset(&self) {
        *self.figures.borrow_mut() = Statistics::default();
        self.history.borrow_mut().begin_anew();
    }

    /// What the page shows, and its last hour: asked for once a second, so that what is recent is of a second.
    fn live_page(&self, overview: &Overview) -> [Page; 2] {
        let (stats, health) = (self.report(overview), health::described(overview));
        let mut statistics = self.figures.borrow_mut();
        let (second, latest) = (statistics.recent_latencies(), report::percentiles(&statistics.latest_commands()));
        let commands = statistics.rate.per_second(monotonic_ms() / 1000).0;
        let mut history = self.history.borrow_mut();
        history.add(overview, commands, &second);
        let (history, last_second) = (history.clone(), history.last_second());
        let (at_ms, uptime_s, recent) = (overview.at_ms, overview.uptime_s, report::latencies(&second));
        let watched = report::watched_tables(overview);
        let live = Page::new("/stats.json", JSON, move |age| {
            format!(
                r#"{{"at_ms":{at_ms},"age_ms":{},"version":"{}","uptime_s":{uptime_s},"stats":{},"recent_latency_us":{},"latest_command_us":{},"watched_tables":{},"second":{last_second},"health":{}}}"#,
                age.as_millis(),
                env!("CARGO_PKG_VERSION"),
                stats.to_json(),
                recent.to_json(),
                latest.to_json(),
                watched.to_json(),
                health.to_json()
            )
        });
        [live, Page::new("/history.json", JSON, move |_| history.to_json())]
    }

    /// A command was answered.
    pub(super) fn ended(&self, call: &CommandEnd<'_>) {
        self.figures.borrow_mut().ended(call);
    }

    /// Counts an event for the table or the query that it is about, if it is about one.
    pub(super) fn count(&self, event: &Event<'_>) {
        let mut statistics = self.figures.borrow_mut();
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
        self.live_page(&report.overview).into()
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
