//! What clients of the tests send, and what they are told.

use crate::cache::{Lsn, Reply};
use crate::commands::flush::{FlushTables, Reach};
use crate::commands::invalidate::InvalidateRow;
use crate::commands::key::KeyOfRow;
use crate::commands::multiread::ReadRows;
use crate::commands::read::ReadRow;
use crate::commands::read_words::ReadWords;
use crate::commands::write::WriteRow;
use crate::engine::tests::cache::{table, Cache};
use crate::postgres::rows::load::Fetched;

pub const ID: &str = r#"{"id":1}"#;
pub const ROW: &str = r#"{"id":1}"#;

/// A cache that knows the table `t`.
pub fn cache() -> Cache {
    with(&[])
}

/// The same with these settings.
pub fn with(settings: &[&str]) -> Cache {
    let mut cache = Cache::with(settings);
    cache.add(table());
    cache
}

/// A reply as text: `OK`, `nil`, an error as it is sent, or the bytes; `waits` where there is none.
pub fn text(reply: Option<Reply>) -> String {
    let bytes = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match reply {
        None => "waits".into(),
        Some(Reply::Sent) => "sent".into(),
        Some(Reply::Ok) => "OK".into(),
        Some(Reply::Nil) => "nil".into(),
        Some(Reply::Bulk(row)) => bytes(&row),
        Some(Reply::Buffer(row)) => bytes(&row),
        Some(Reply::Value(value)) => format!("{value:?}"),
        Some(Reply::Error(error)) => error.to_string(),
    }
}

/// The first word of it: an error's code.
pub fn code(reply: Option<Reply>) -> String {
    text(reply).split(' ').next().unwrap_or_default().to_owned()
}

pub fn read(cache: &mut Cache, key: &str) -> Option<Reply> {
    cache.run("t", &ReadRow { key: key.as_bytes().into(), ttl: None, min_lsn: None })
}

/// READ … MINLSN.
pub fn read_from(cache: &mut Cache, key: &str, lsn: u64) -> Option<Reply> {
    cache.run("t", &ReadRow { key: key.as_bytes().into(), ttl: None, min_lsn: Some(Lsn(lsn)) })
}

pub fn multiread(cache: &mut Cache, keys: &str) -> Option<Reply> {
    cache.run("t", &ReadRows { keys: keys.as_bytes().into(), words: ReadWords::default() })
}

pub fn write(cache: &mut Cache, key: &str, row: &str) -> Option<Reply> {
    cache.run("t", &WriteRow { key: key.as_bytes().into(), data: row.as_bytes().into(), ttl: None })
}

pub fn invalidate(cache: &mut Cache, key: &str) -> Option<Reply> {
    cache.run("t", &InvalidateRow { key: key.as_bytes().into() })
}

pub fn key_of(cache: &mut Cache, key: &str) -> Option<Reply> {
    cache.run("t", &KeyOfRow { key: key.as_bytes().into() })
}

pub fn flush(cache: &mut Cache, names: &[&str]) -> Option<Reply> {
    cache.run(
        names[0],
        &FlushTables { names: names.iter().map(|name| name.as_bytes().into()).collect(), reach: Reach::Here },
    )
}

/// What those are told who have waited, each by its number.
pub fn told(cache: &mut Cache) -> Vec<(u64, String)> {
    cache.replies().into_iter().map(|(number, reply)| (number, text(Some(reply)))).collect()
}

/// The oldest load under way comes back with `fetched`.
pub fn fetched(cache: &mut Cache, fetched: Fetched) {
    let loads = cache.loads();
    cache.complete(*loads.first().expect("a load is under way"), Ok(fetched));
}
