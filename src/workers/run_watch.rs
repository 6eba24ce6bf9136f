//! The job behind PGCACHE.WATCH: having PostgreSQL tell of changes, or asking what it tells of.

use std::sync::Arc;
use std::time::Instant;

use ::postgres::error::SqlState;

use super::messages::Message;
use super::watch_request::{WatchAnswer, Watching};
use super::worker::Worker;
use crate::cache::{Error, ErrorKind};
use crate::cdc::install;
use crate::cdc::install::Mode;
use crate::postgres::error_from;
use crate::settings::Invalidation;

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
            Invalidation::Off => return Err(switched_off()),
        };
        let allow = &self.source.settings().allow_tables;
        let mut client = self.source.open_to_write(what.patience(self.settings.get().load_timeout))?;
        let name = match what {
            Watching::Add(name) | Watching::Del(name) | Watching::Sql(name) => name,
            Watching::List => "pgcache",
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
            Watching::List => install::list(&mut client).map(|tables| Ok(WatchAnswer::Tables(tables))),
        };
        answer.unwrap_or_else(|error| Err(refusal(&error, name)))
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

fn refusal(error: &::postgres::Error, name: &str) -> Error {
    if error.code() != Some(&SqlState::LOCK_NOT_AVAILABLE) {
        return error_from(error, name);
    }
    let text = format!("{name}: another transaction changes definitions; nothing was changed, try again later");
    Error::new(ErrorKind::Postgres("55P03".into()), text)
}

fn switched_off() -> Error {
    Error::new(ErrorKind::Malformed, "the source's setting invalidation is off: notify or outbox have changes told")
}
