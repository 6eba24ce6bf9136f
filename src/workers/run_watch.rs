//! The job behind PGCACHE.WATCH: having PostgreSQL tell of changes, or asking what it tells of.

use std::sync::Arc;
use std::time::Instant;

use ::postgres::error::SqlState;

use super::messages::Message;
use super::watch_request::{WatchAnswer, Watching};
use super::worker::Worker;
use crate::cache::{Error, ErrorKind};
use crate::cdc::flush;
use crate::cdc::install;
use crate::cdc::install::Mode;
use crate::postgres::error_from;
use crate::settings::{Invalidation, DEFAULT_SOURCE};

impl Worker {
    /// Does it, and tells the one who asked under `number`.
    pub(super) fn watch(&self, number: u64, what: &Watching) {
        let result = self.watched(what);
        // Before the answer: whoever has it may rely on it.
        if let (Ok(WatchAnswer::Done), Watching::Add(name) | Watching::Del(name)) = (&result, what) {
            self.tell_definition(name);
        }
        self.sender.send(Message::Watched { number, source: self.index, result });
    }

    fn watched(&self, what: &Watching) -> Result<WatchAnswer, Error> {
        let mode = match self.source.settings().invalidation {
            Invalidation::Notify => Mode::Notify,
            Invalidation::Outbox => Mode::Outbox,
            Invalidation::Wal => Mode::Wal,
            Invalidation::Off => return Err(switched_off()),
        };
        let allow = &self.source.settings().allow_tables;
        let mut client = self.source.open_to_write(what.patience(self.settings.get().load_timeout))?;
        let name = match what {
            Watching::Add(name) | Watching::Del(name) | Watching::Sql(name) => name,
            Watching::List | Watching::Flush(_) => "pgcache",
        };
        let answer = match what {
            Watching::Add(name) => {
                install::add(&mut client, name, mode, allow).map(|result| result.map(|()| WatchAnswer::Done))
            }
            Watching::Del(name) => {
                install::del(&mut client, name, allow).map(|result| result.map(|()| WatchAnswer::Done))
            }
            Watching::Sql(name) => install::sql(&mut client, name, mode, allow)
                .map(|result| result.map(|script| WatchAnswer::Script(script.to_string()))),
            Watching::Flush(what) => {
                flush::tell(&mut client, mode, what).map(|result| result.map(|()| WatchAnswer::Told))
            }
            Watching::List => install::list(&mut client).map(|tables| Ok(WatchAnswer::Tables(tables))),
        };
        answer.unwrap_or_else(|error| match what {
            Watching::Add(name) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
                Err(self.lacks_rights(&error, name))
            }
            _ => Err(refusal(&error, name)),
        })
    }

    /// With what somebody else can do about it.
    fn lacks_rights(&self, error: &::postgres::Error, name: &str) -> Error {
        let settings = self.source.settings();
        let prefix = if settings.name == DEFAULT_SOURCE { "".into() } else { format!("{}:", settings.name) };
        let (table, database) = (shell_word(&format!("{prefix}{name}")), shell_word(&settings.pg_database));
        let reason = error.as_db_error().map_or("permission denied", |db| db.message());
        let text = format!(
            "{name}: {reason}. Have a DBA run what PGCACHE.WATCH SQL prints: redis-cli --raw PGCACHE.WATCH SQL {table} | \
             psql -d {database}"
        );
        Error::new(ErrorKind::Postgres("42501".into()), text)
    }

    /// Tells what the relation is now: watched, or no longer.
    fn tell_definition(&self, name: &str) {
        let deadline = Instant::now() + self.settings.get().load_timeout;
        if let Ok((Ok(definition), asked)) = self.describe_now(name, deadline) {
            let (oid, definition) = (definition.oid, Some(Arc::new(definition)));
            self.sender.send(Message::Redefined { source: self.index, oid, definition, asked });
        }
    }
}

/// `text` as one word of a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn refusal(error: &::postgres::Error, name: &str) -> Error {
    if error.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return error_from(error, name);
    }
    let text = format!("{name}: another transaction changes definitions; nothing was changed, try again later");
    Error::new(ErrorKind::Postgres("55P03".into()), text)
}

fn switched_off() -> Error {
    Error::new(
        ErrorKind::Malformed,
        "the source's setting invalidation is off: notify, outbox or wal have changes told",
    )
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_name_is_one_word_of_a_shell() {
        for (name, word) in [
            ("users", "users"),
            ("b:app.users", "b:app.users"),
            ("\"My Users\"", "'\"My Users\"'"),
            ("a'$b", r"'a'\''$b'"),
        ] {
            assert_eq!(shell_word(name), word);
        }
    }
}
