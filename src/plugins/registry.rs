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
use crate::server::acl::{Access, User};
use crate::server::command::Registration;
use crate::server::context::Context;
use crate::server::text::Text;
use crate::settings::{EventType, Settings};

/// Plugins in their order.
pub type Several = Rc<[Rc<dyn Plugin>]>;

/// All plugins, with those that have each part.
#[derive(Debug)]
pub struct Plugins {
    all: Several,
    by_part: [Several; Part::ALL.len()],
    /// The settings that `by_part` was made for; `None`: it has to be made anew.
    arranged_for: Option<Rc<Settings>>,
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
            Rc::new(Acl),
            Rc::new(stats.clone()),
            Rc::new(metrics.clone()),
            Rc::new(slowlog.clone()),
            Rc::new(Events::default()),
            Rc::new(hooks.clone()),
        ]);
        let by_part = Part::ALL.map(|_| Several::from([]));
        Self { all, by_part, arranged_for: None, slowlog, stats, hooks, metrics }
    }
}

impl Plugins {
    /// The commands that come with plugins.
    pub fn commands(&self) -> Vec<Registration> {
        self.all.iter().flat_map(|plugin| plugin.commands()).collect()
    }

    /// A plugin's parts have changed otherwise than by the settings.
    pub fn rearrange(&mut self) {
        self.arranged_for = None;
    }

    /// Sees to it that `by_part` is what the settings make of it.
    fn arrange(&mut self, settings: &Rc<Settings>) {
        if self.arranged_for.as_ref().is_some_and(|known| Rc::ptr_eq(known, settings)) {
            return;
        }
        let is_on = |plugin: &&Rc<dyn Plugin>| !settings.disabled_plugins.contains(plugin.name());
        let all: Vec<_> =
            self.all.iter().filter(is_on).map(|plugin| (plugin, plugin.parts(settings))).collect();
        self.by_part = Part::ALL.map(|part| {
            let having = all.iter().filter(|(_, parts)| parts.contains(part));
            having.map(|(plugin, _)| Rc::clone(plugin)).collect()
        });
        self.arranged_for = Some(Rc::clone(settings));
    }

    /// Those that have a part, in order.
    pub fn having(&mut self, settings: &Rc<Settings>, part: Part) -> &Several {
        self.arrange(settings);
        // Every part has its place: a test says so.
        &self.by_part[part as usize]
    }

    /// Tells of an occurrence.
    pub fn tell(&mut self, ctx: Context<'_>, settings: &Rc<Settings>, what: &Occurrence<'_>) {
        let part = Part::of(what.kind);
        for plugin in self.having(settings, part).iter() {
            plugin::tell(&**plugin, part, Moment { ctx, settings }, what);
        }
    }

    /// Whether anybody has a use for occurrences of this kind: for those that are costly to tell.
    pub fn want(&mut self, settings: &Rc<Settings>, kind: EventType) -> bool {
        !self.having(settings, Part::of(kind)).is_empty()
    }

    /// Whether `user` may do that with all of `keys`.
    pub fn may_access(
        &mut self,
        ctx: Context<'_>,
        settings: &Rc<Settings>,
        user: &User,
        keys: &[&Text],
        access: Access,
    ) -> Result<(), Error> {
        let mut asked = self.having(settings, Part::Access).iter();
        asked.try_for_each(|plugin| plugin.may_access(Moment { ctx, settings }, user, keys, access))
    }

    /// Tells that a command was answered.
    pub fn ended(&mut self, ctx: Context<'_>, settings: &Rc<Settings>, call: &Ended<'_>) {
        for plugin in self.having(settings, Part::AfterCommand).iter() {
            plugin.after_command(Moment { ctx, settings }, call);
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
    pub fn started(&mut self, ctx: Context<'_>, settings: &Rc<Settings>) {
        for plugin in self.having(settings, Part::Startup).iter() {
            plugin.on_startup(Moment { ctx, settings });
        }
    }

    /// Tells that it comes to its end.
    pub fn stopped(&mut self, ctx: Context<'_>, settings: &Rc<Settings>) {
        for plugin in self.having(settings, Part::Shutdown).iter().rev() {
            plugin.on_shutdown(Moment { ctx, settings });
        }
    }
}
