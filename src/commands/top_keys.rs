//! `PGCACHE.STATS KEYS [TABLE <table>] [count]`: the keys that are hit most.

use crate::cache::{Error, Reply};
use crate::module::Engine;

/// How many keys are told of where nobody says, and how many at most.
const USUAL: usize = 10;
const MOST: usize = 500;

/// Answers with the words behind KEYS, and has hits sampled from now on.
pub fn run(engine: &mut Engine, words: &[&[u8]]) -> Result<Reply, Error> {
    let (table, count) = match words {
        [] => (None, USUAL),
        [count] => (None, parse(count)?),
        [word, table] if word.eq_ignore_ascii_case(b"TABLE") => (Some(*table), USUAL),
        [word, table, count] if word.eq_ignore_ascii_case(b"TABLE") => (Some(*table), parse(count)?),
        _ => return Err(malformed()),
    };
    let table = table.map(|spelling| match engine.table_named(spelling) {
        Some(table) => table.name.to_string(),
        None => String::from_utf8_lossy(spelling).into_owned(),
    });
    Ok(Reply::Value(engine.top_keys(table.as_deref(), count)))
}

fn parse(count: &[u8]) -> Result<usize, Error> {
    let count = std::str::from_utf8(count).ok().and_then(|text| text.parse().ok());
    count.filter(|count| (1..=MOST).contains(count)).ok_or_else(malformed)
}

fn malformed() -> Error {
    Error::malformed(format!("STATS KEYS takes TABLE and a table, and how many keys to return, from 1 to {MOST}"))
}
