//! Statistics: what was done, for whom, and how long it took.

pub mod book;
pub mod latency;
pub mod rate;
pub mod table;

use std::cell::{Ref, RefCell, RefMut};
use std::rc::Rc;

use book::Book;

use super::call::Ended;
use super::occurrence::Occurrence;
use super::part::{Part, Parts};
use super::plugin::{Moment, Plugin};
use crate::commands::stats::Stats as StatsCommand;
use crate::server::command::Registration;
use crate::settings::{PluginName, Settings};

/// The figures, shared by the plugin and the command that shows them.
#[derive(Debug, Default, Clone)]
pub struct Stats(Rc<RefCell<Book>>);

impl Stats {
    /// The figures as they stand.
    pub fn book(&self) -> Ref<'_, Book> {
        self.0.borrow()
    }

    /// The same, for what a look moves on.
    pub fn book_mut(&self) -> RefMut<'_, Book> {
        self.0.borrow_mut()
    }

    /// Begins anew.
    pub fn reset(&self) {
        *self.0.borrow_mut() = Book::default();
    }

    fn count(&self, what: &Occurrence<'_>, count: impl FnOnce(&mut table::TableStats)) {
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

    fn commands(&self) -> Vec<Registration> {
        vec![Registration::of::<StatsCommand>()]
    }

    fn after_command(&self, _: Moment<'_>, call: &Ended<'_>) {
        self.0.borrow_mut().ended(call);
    }

    fn on_hit(&self, _: Moment<'_>, what: &Occurrence<'_>) {
        self.count(what, |table| {
            table.hits += 1;
            table.negative_hits += u64::from(what.is_negative);
        });
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
}
