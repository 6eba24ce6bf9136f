//! One file per command: parse, ask the rules, reply.

pub mod announce;
pub mod define;
pub mod flush;
pub mod health;
pub mod help;
pub mod hook;
pub mod inspect;
pub mod invalidate;
pub mod key;
pub mod multiread;
pub mod panic;
pub mod query;
mod query_words;
pub mod read;
pub mod slowlog;
pub mod stats;
pub mod watch;
pub mod write;

use crate::plugins::registry::Plugins;
use crate::server::command::Registration;
use crate::settings::Settings;

/// Every command: those of the cache, those that come with plugins, and HELP.
pub fn all() -> Vec<Registration> {
    let mut all = vec![
        Registration::of::<read::Read>(),
        Registration::of::<write::Write>(),
        Registration::of::<invalidate::Invalidate>(),
        Registration::of::<multiread::MultiRead>(),
        Registration::of::<key::Key>(),
        Registration::of::<inspect::Inspect>(),
        Registration::of::<query::Query>(),
        Registration::of::<define::Define>(),
        Registration::of::<flush::Flush>(),
        Registration::of::<watch::Watch>(),
    ];
    all.extend(Plugins::default().commands());
    all.extend([Registration::of::<announce::Announce>()]);
    all.extend([Registration::of::<health::Health>(), Registration::of::<help::Help>()]);
    all
}

/// Those that are registered: with `test_hooks yes` there is one more.
pub fn registered(settings: &Settings) -> Vec<Registration> {
    let for_tests = settings.test_hooks.then(Registration::of::<panic::Panic>);
    all().into_iter().chain(for_tests).collect()
}
