//! What a plugin is: something that is asked before commands, is told what the cache does, and keeps or passes on what
//! it likes.

use std::fmt::Debug;

use prometheus::proto::MetricFamily;

use super::asked::Asked;
use super::call::Ended;
use super::occurrence::Occurrence;
use super::page::{Page, Report};
use super::part::{Part, Parts};
use crate::cache::error::Error;
use crate::server::acl::{Purpose, User};
use crate::server::context::Context;
use crate::server::text::Text;
use crate::settings::{PluginName, Settings};

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
///
/// Parts take `&self`: what a plugin keeps is shared with the command that shows it, and stands in a cell that is
/// borrowed for a moment only. A part that calls the server may be told of what that call causes.
pub trait Plugin: Debug {
    /// Its name in the setting `disabled_plugins`.
    fn name(&self) -> PluginName;

    /// The parts that it has, as the settings stand. Asked again whenever plugins are
    /// [arranged](super::registry::Plugins::arrange).
    fn parts(&self, settings: &Settings) -> Parts;

    /// Whether `user` may do that with all of `keys`. The first error is the command's answer.
    fn may_access(&self, _: Moment<'_>, _: &User, _keys: &[&Text], _: Purpose) -> Result<(), Error> {
        Ok(())
    }

    /// A command is about to run. The first error is its answer. Called while the cache is free to be used: this part may
    /// run commands.
    fn before_command(&self, _: Moment<'_>, _: &Asked<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// A command was answered.
    fn after_command(&self, _: Moment<'_>, _: &Ended<'_>) {}

    /// The module is at work, with the data set loaded. In the plugins' order.
    fn on_startup(&self, _: Moment<'_>) {}

    /// The server ends, or unloads the module. In the opposite order.
    fn on_shutdown(&self, _: Moment<'_>) {}

    /// Its pages at the HTTP endpoint, as things stand. Asked for once a second while there is an endpoint.
    fn pages(&self, _: &Report) -> Vec<Page> {
        Vec::new()
    }

    /// Its own metrics, for the page that has them all. Asked for as often.
    fn metrics(&self) -> Vec<MetricFamily> {
        Vec::new()
    }

    /// Any occurrence whose own part is not written.
    fn on_any(&self, _: Moment<'_>, _: &Occurrence<'_>) {}

    /// A read was answered from memory.
    fn on_hit(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A read had to ask PostgreSQL.
    fn on_miss(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// PostgreSQL answered a load.
    fn on_load(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A load failed.
    fn on_error(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A client wrote an entry.
    fn on_write(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// An entry was invalidated.
    fn on_invalidate(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A whole table was dropped.
    fn on_table_flush(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A tag was dropped.
    fn on_tag_invalidate(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// An entry's time to live passed.
    fn on_expire(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// The server evicted an entry.
    fn on_evict(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }

    /// A source came up or went down.
    fn on_source(&self, moment: Moment<'_>, what: &Occurrence<'_>) {
        self.on_any(moment, what);
    }
}

/// Has `plugin` told of an occurrence, by the part that it belongs to.
pub(super) fn tell(plugin: &dyn Plugin, part: Part, moment: Moment<'_>, what: &Occurrence<'_>) {
    match part {
        Part::Access | Part::BeforeCommand | Part::AfterCommand | Part::Startup | Part::Shutdown => {}
        Part::Hit => plugin.on_hit(moment, what),
        Part::Miss => plugin.on_miss(moment, what),
        Part::Load => plugin.on_load(moment, what),
        Part::Error => plugin.on_error(moment, what),
        Part::Write => plugin.on_write(moment, what),
        Part::Invalidate => plugin.on_invalidate(moment, what),
        Part::TableFlush => plugin.on_table_flush(moment, what),
        Part::TagInvalidate => plugin.on_tag_invalidate(moment, what),
        Part::Expire => plugin.on_expire(moment, what),
        Part::Evict => plugin.on_evict(moment, what),
        Part::Source => plugin.on_source(moment, what),
    }
}
