//! Statistics: what was done, for whom, and how long it took.

pub mod book;
pub mod latency;
pub mod rate;
pub mod recent;
pub mod report;
pub mod table;

use std::cell::{Ref, RefCell};
use std::rc::Rc;

use book::Book;

use super::call::Ended;
use super::health;
use super::occurrence::Occurrence;
use super::overview::Overview;
use super::page::{Page, Report, JSON};
use super::part::{Part, Parts};
use super::plugin::{Moment, Plugin};
use crate::cache::value::Value;
use crate::server::clock::monotonic_ms;
use crate::settings::{PluginName, Settings};

/// The figures, shared by the plugin and the command that shows them.
#[derive(Debug, Default, Clone)]
pub struct Stats(Rc<RefCell<Book>>);

impl Stats {
    /// The figures as they stand.
    pub fn book(&self) -> Ref<'_, Book> {
        self.0.borrow()
    }

    /// Everything that there is to tell.
    pub fn report(&self, overview: &Overview) -> Value {
        report::everything(&mut self.0.borrow_mut(), overview, monotonic_ms() / 1000)
    }

    /// Begins anew.
    pub fn reset(&self) {
        *self.0.borrow_mut() = Book::default();
    }

    /// A command was answered.
    pub(super) fn ended(&self, call: &Ended<'_>) {
        self.0.borrow_mut().ended(call);
    }

    /// Counts for the table that an occurrence is about, if it is about one.
    pub(super) fn count(&self, what: &Occurrence<'_>, count: impl FnOnce(&mut table::TableStats)) {
        if let Some(table) = self.0.borrow_mut().table(what) {
            count(table);
        }
    }
}

impl Plugin for Stats {
    fn name(&self) -> PluginName {
        PluginName::Stats
    }

    fn parts(&self, _: &Settings) -> Parts {
        let parts = [
            Part::AfterCommand,
            Part::Hit,
            Part::Miss,
            Part::Load,
            Part::Error,
            Part::Write,
            Part::Invalidate,
            Part::TableFlush,
        ];
        parts.into_iter().collect()
    }

    fn after_command(&self, _: Moment<'_>, call: &Ended<'_>) {
        self.ended(call);
    }

    fn on_hit(&self, _: Moment<'_>, what: &Occurrence<'_>) {
        if let Some(table) = self.0.borrow_mut().latest_table(what) {
            table.hits += 1;
            table.negative_hits += u64::from(what.is_negative);
        }
    }

    fn on_miss(&self, _: Moment<'_>, what: &Occurrence<'_>) {
        self.count(what, |table| table.misses += 1);
    }

    fn on_load(&self, _: Moment<'_>, what: &Occurrence<'_>) {
        self.count(what, |table| table.loads += 1);
    }

    fn on_error(&self, _: Moment<'_>, what: &Occurrence<'_>) {
        self.count(what, |table| table.errors += 1);
    }

    fn on_write(&self, _: Moment<'_>, what: &Occurrence<'_>) {
        self.count(what, |table| table.writes += 1);
    }

    fn on_invalidate(&self, _: Moment<'_>, what: &Occurrence<'_>) {
        self.count(what, |table| table.invalidations += 1);
    }

    fn on_table_flush(&self, _: Moment<'_>, what: &Occurrence<'_>) {
        self.count(what, |table| table.flushes += 1);
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
    use crate::settings::EventType;

    #[test]
    fn what_is_about_no_table_counts_for_none() {
        let stats = Stats::default();
        let what = Occurrence { query: Some("top"), ..Occurrence::new(EventType::CacheHit) };
        stats.count(&what.key(b"pg_cache:@query:top:[1]", 20), |table| table.hits += 1);
        assert!(stats.book().all_tables().is_empty() && stats.book().busiest().is_empty());
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
