//! The plugins at work, and who is told of what.

use std::rc::Rc;
use std::sync::Arc;

use super::acl::Acl;
use super::call::Ended;
use super::events::Events;
use super::hooks::Hooks;
use super::metrics::Metrics;
use super::occurrence::Occurrence;
use super::overview::Overview;
use super::page::{Page, Report};
use super::part::Part;
use super::plugin::{self, Moment, Plugin};
use super::slowlog::SlowLog;
use super::stats::Stats;
use crate::cache::error::Error;
use crate::server::acl::{Purpose, User};
use crate::server::text::Text;
use crate::settings::{EventType, Settings};

/// Plugins in their order.
pub type Several = Rc<[Rc<dyn Plugin>]>;

/// All plugins, with those that have each part: nobody, until they are first [arranged](Self::arrange).
#[derive(Debug)]
pub struct Plugins {
    all: Several,
    by_part: [Several; Part::ALL.len()],
    /// What the slow log's own command shows.
    pub slowlog: SlowLog,
    /// What the command for statistics shows.
    pub stats: Stats,
    /// What the command for hooks changes.
    pub hooks: Hooks,
    metrics: Metrics,
}

impl Default for Plugins {
    fn default() -> Self {
        let (stats, slowlog, hooks) = (Stats::default(), SlowLog::default(), Hooks::default());
        let metrics = Metrics::of(stats.clone());
        let all: Several = Rc::new([
            Rc::new(Acl::default()),
            Rc::new(stats.clone()),
            Rc::new(metrics.clone()),
            Rc::new(slowlog.clone()),
            Rc::new(Events::default()),
            Rc::new(hooks.clone()),
        ]);
        let by_part = Part::ALL.map(|_| Several::from([]));
        Self { all, by_part, slowlog, stats, hooks, metrics }
    }
}

impl Plugins {
    /// Asks everyone anew what parts they have. To be called when the settings or a plugin's parts have changed.
    pub fn arrange(&mut self, settings: &Settings) {
        let is_on = |plugin: &&Rc<dyn Plugin>| !settings.disabled_plugins.contains(plugin.name());
        let all: Vec<_> =
            self.all.iter().filter(is_on).map(|plugin| (plugin, plugin.parts(settings))).collect();
        self.by_part = Part::ALL.map(|part| {
            let having = all.iter().filter(|(_, parts)| parts.contains(part));
            having.map(|(plugin, _)| Rc::clone(plugin)).collect()
        });
    }

    /// Those that have a part, in order.
    pub fn having(&self, part: Part) -> &Several {
        // Every part has its place: a test says so.
        &self.by_part[part as usize]
    }

    /// Tells of an occurrence.
    pub fn tell(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        let part = Part::of(what.kind);
        for plugin in self.having(part).iter() {
            plugin::tell(&**plugin, part, moment, what);
        }
    }

    /// Whether anybody has a use for occurrences of this kind: for those that are costly to tell.
    pub fn want(&self, kind: EventType) -> bool {
        !self.having(Part::of(kind)).is_empty()
    }

    /// Whether `user` may do that with all of `keys`.
    pub fn may_access(
        &self,
        moment: Moment<'_>,
        user: &User,
        keys: &[&Text],
        purpose: Purpose,
    ) -> Result<(), Error> {
        self.having(Part::Access).iter().try_for_each(|plugin| plugin.may_access(moment, user, keys, purpose))
    }

    /// Tells that a command was answered.
    pub fn ended(&self, moment: Moment<'_>, call: &Ended<'_>) {
        for plugin in self.having(Part::AfterCommand).iter() {
            plugin.after_command(moment, call);
        }
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

    /// Tells that the module is at work.
    pub fn started(&self, moment: Moment<'_>) {
        for plugin in self.having(Part::Startup).iter() {
            plugin.on_startup(moment);
        }
    }

    /// Tells that it comes to its end.
    pub fn stopped(&self, moment: Moment<'_>) {
        for plugin in self.having(Part::Shutdown).iter().rev() {
            plugin.on_shutdown(moment);
        }
    }
}
