//! The plugins at work, and who is told of what.

use std::rc::Rc;
use std::sync::Arc;

use super::acl::Acl;
use super::call::CommandEnd;
use super::event::Event;
use super::events::Events;
use super::hooks::Hooks;
use super::metrics::Metrics;
use super::overview::Overview;
use super::page::{Page, Report};
use super::plugin::{EventContext, Plugin};
use super::slowlog::SlowLog;
use super::stats::Stats;
use super::top_keys::TopKeys;
use crate::cache::{Error, Purpose};
use crate::clock::monotonic_ms;
use crate::server::{Text, User};
use crate::settings::{EventType, EventTypes, Settings};

/// Plugins in their order.
pub type PluginList = Rc<[Rc<dyn Plugin>]>;

/// All plugins, with those that have each part: nobody, until they are first [arranged](Self::arrange).
#[derive(Debug)]
pub struct Plugins {
    all: PluginList,
    by_event: [PluginList; EventType::COUNT],
    /// What the slow log's own command shows.
    pub slowlog: SlowLog,
    /// What the command for statistics shows.
    pub stats: Stats,
    /// Which keys are hit most.
    pub top_keys: TopKeys,
    /// What the command for hooks changes.
    pub hooks: Hooks,
}

impl Default for Plugins {
    fn default() -> Self {
        let (stats, slowlog, hooks) = (Stats::default(), SlowLog::default(), Hooks::default());
        let top_keys = TopKeys::default();
        let all: PluginList = Rc::new([
            Rc::new(Acl::default()),
            Rc::new(stats.clone()),
            Rc::new(top_keys.clone()),
            Rc::new(Metrics::of(stats.clone())),
            Rc::new(slowlog.clone()),
            Rc::new(Events::default()),
            Rc::new(hooks.clone()),
        ]);
        let by_event = std::array::from_fn(|_| PluginList::from([]));
        Self { all, by_event, slowlog, stats, top_keys, hooks }
    }
}

impl Plugins {
    /// Asks everyone anew what they subscribe to. To be called when the settings or a plugin's subscriptions have changed.
    pub fn arrange(&mut self, settings: &Settings) {
        self.by_event.iter_mut().for_each(|subscribers| *subscribers = PluginList::from([]));
        let is_on = |plugin: &&Rc<dyn Plugin>| !settings.disabled_plugins.contains(plugin.name());
        let all: Vec<_> =
            self.all.iter().filter(is_on).map(|plugin| (plugin, plugin.subscribes_to(settings))).collect();
        for event in EventTypes::all() {
            let subscribers = all.iter().filter(|(_, events)| events.contains(event));
            self.by_event[event as usize] = subscribers.map(|(plugin, _)| Rc::clone(plugin)).collect();
        }
    }

    /// Those that subscribe to an event, in order.
    pub fn subscribers(&self, event: EventType) -> &PluginList {
        // Types are numbered without gaps: a test says so.
        &self.by_event[event as usize]
    }

    /// Tells of an event.
    pub fn emit(&self, context: EventContext<'_>, event: &Event<'_>) {
        for plugin in self.subscribers(event.kind).iter() {
            plugin.on_event(context, event);
        }
    }

    /// Whether anybody has a use for events of this type: for those that are costly to tell.
    pub fn want(&self, event: EventType) -> bool {
        !self.subscribers(event).is_empty()
    }

    /// Whether `user` may do that with all of `keys`.
    pub fn may_access(
        &self,
        context: EventContext<'_>,
        user: &User,
        keys: &[&Text],
        purpose: Purpose,
    ) -> Result<(), Error> {
        self.subscribers(EventType::Access)
            .iter()
            .try_for_each(|plugin| plugin.may_access(context, user, keys, purpose))
    }

    /// Tells that a command was answered.
    pub fn ended(&self, context: EventContext<'_>, call: &CommandEnd<'_>) {
        for plugin in self.subscribers(EventType::AfterCommand).iter() {
            plugin.after_command(context, call);
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
        self.top_keys.reset(monotonic_ms());
    }

    /// Tells that the module is at work.
    pub fn started(&self, context: EventContext<'_>) {
        for plugin in self.subscribers(EventType::Startup).iter() {
            plugin.on_startup(context);
        }
    }

    /// Tells that it comes to its end.
    pub fn stopped(&self, context: EventContext<'_>) {
        for plugin in self.subscribers(EventType::Shutdown).iter().rev() {
            plugin.on_shutdown(context);
        }
    }
}
