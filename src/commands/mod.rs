//! One file per command: parse, ask the rules, reply.

pub mod announce;
pub mod barrier;
pub mod define;
mod first_word;
pub mod flush;
pub mod health;
pub mod help;
pub mod hook;
pub mod inspect;
pub mod invalidate;
pub mod key;
pub mod multiread;
pub mod near;
pub mod panic;
pub mod query;
mod query_words;
pub mod read;
mod read_words;
pub mod slowlog;
pub mod stats;
#[cfg(test)]
mod tests;
mod top_keys;
pub mod watch;
pub mod write;

use crate::cache::key::LookupKey;
use crate::cache::{Error, Ttl};
use crate::server::command::Registration;
use crate::settings::{did_you_mean, nearest, Settings};

/// Every command, in the order in which HELP shows them.
pub fn all() -> Vec<Registration> {
    vec![
        Registration::of::<read::Read>(),
        Registration::of::<write::Write>(),
        Registration::of::<invalidate::Invalidate>(),
        Registration::of::<multiread::MultiRead>(),
        Registration::of::<key::Key>(),
        Registration::of::<inspect::Inspect>(),
        Registration::of::<near::Near>(),
        Registration::of::<query::Query>(),
        Registration::of::<define::Define>(),
        Registration::of::<flush::Flush>(),
        Registration::of::<watch::Watch>(),
        Registration::of::<barrier::Barrier>(),
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

/// Reads the time to live behind a lookup key, or behind an array of them. Where a shell has cut the JSON in pieces, one of these
/// stands in its place: then it is the key that is wrong.
fn parse_ttl(argument: Option<&[u8]>, key: &[u8]) -> Result<Option<Ttl>, Error> {
    argument.map(Ttl::parse).transpose().map_err(|error| wrong_key(key).unwrap_or(error))
}

/// Why `key` is no lookup key and no array of them, if it is neither.
fn wrong_key(key: &[u8]) -> Option<Error> {
    match key.trim_ascii_start().starts_with(b"[") {
        true => LookupKey::parse_many(key, usize::MAX).err(),
        false => LookupKey::parse(key).err(),
    }
}

/// Why a command was refused whose first word is none of `words`, or stands with too many or too few others. `usage` says what
/// the command takes.
fn misused(usage: &str, word: &[u8], words: &[&str]) -> Error {
    let word = String::from_utf8_lossy(word);
    let meant = nearest(&word, words.iter().copied()).filter(|meant| !meant.eq_ignore_ascii_case(&word));
    Error::malformed(format!("{usage}{}", did_you_mean(meant)))
}
