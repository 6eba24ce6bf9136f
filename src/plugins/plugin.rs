//! The plugin trait: a plugin may refuse commands, and is told of events.

use std::fmt::Debug;

use prometheus::proto::MetricFamily;

use super::call::CommandEnd;
use super::command_start::CommandStart;
use super::event::Event;
use super::page::{Page, Report};
use crate::cache::{Error, Purpose};
use crate::server::{Context, Text, User};
use crate::settings::{EventTypes, PluginName, Settings};

/// What the plugins are told in: the callback under way, and the settings as they stand.
#[derive(Debug, Clone, Copy)]
pub struct EventContext<'a> {
    /// The callback's context.
    pub ctx: Context<'a>,
    /// The settings.
    pub settings: &'a Settings,
}

/// A plugin, on the server's main thread. Each method does nothing unless it is written, and is only called for events that
/// the plugin [subscribes to](Self::subscribes_to).
///
/// Methods take `&self`: what a plugin keeps is shared with the command that shows it, and stands in a cell that is
/// borrowed for a short time only. A method that calls the server may be told of what that call causes.
pub trait Plugin: Debug {
    /// Its name in the setting `disabled_plugins`.
    fn name(&self) -> PluginName;

    /// The types of events that it subscribes to, as the settings stand. Asked again whenever plugins are
    /// [arranged](super::registry::Plugins::arrange).
    fn subscribes_to(&self, settings: &Settings) -> EventTypes;

    /// Whether `user` may do that with all of `keys`. The first error is the command's answer.
    fn may_access(&self, _: EventContext<'_>, _: &User, _keys: &[&Text], _: Purpose) -> Result<(), Error> {
        Ok(())
    }

    /// A command is about to run. The first error is its answer. Called while the cache is free to be used: it may
    /// run commands.
    fn before_command(&self, _: EventContext<'_>, _: &CommandStart<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// A command was answered.
    fn after_command(&self, _: EventContext<'_>, _: &CommandEnd<'_>) {}

    /// The module is at work, with the data set loaded. In the plugins' order.
    fn on_startup(&self, _: EventContext<'_>) {}

    /// The server ends, or unloads the module. In the opposite order.
    fn on_shutdown(&self, _: EventContext<'_>) {}

    /// Its pages at the HTTP endpoint, as things stand. Asked for once a second while there is an endpoint.
    fn pages(&self, _: &Report) -> Vec<Page> {
        Vec::new()
    }

    /// Its own metrics, for the page that has them all. Asked for as often.
    fn metrics(&self) -> Vec<MetricFamily> {
        Vec::new()
    }

    /// Something happened in the cache, or a source came up or went down.
    fn on_event(&self, _: EventContext<'_>, _: &Event<'_>) {}
}
