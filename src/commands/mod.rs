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
#[cfg(test)]
mod tests;
pub mod watch;
pub mod write;

use crate::server::command::Registration;
use crate::settings::Settings;

/// Every command, in the order in which HELP shows them.
pub fn all() -> Vec<Registration> {
    vec![
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
        Registration::of::<stats::Stats>(),
        Registration::of::<slowlog::SlowLog>(),
        Registration::of::<hook::Hook>(),
        Registration::of::<announce::Announce>(),
        Registration::of::<health::Health>(),
        Registration::of::<help::Help>(),
    ]
}

/// Those that are registered: with `test_hooks yes` there is one more.
pub fn registered(settings: &Settings) -> Vec<Registration> {
    let for_tests = settings.test_hooks.then(Registration::of::<panic::Panic>);
    all().into_iter().chain(for_tests).collect()
}
