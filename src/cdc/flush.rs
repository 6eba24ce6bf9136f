//! Flushes that are told to every server that listens to a source, the way changes are.

use ::postgres::SimpleQueryMessage;
use postgres_protocol::escape::escape_literal;

use super::install::{Asking, Mode};
use super::secret::Secret;
use crate::cache::{Error, ErrorKind};
use crate::postgres::Texts;

/// What is to be dropped everywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flush {
    /// Everything of the source.
    All,
    /// These tables, by `pg_class.oid` and by name.
    Tables(Vec<(u32, String)>),
    /// The queries that carry any of these tags.
    Tags(Vec<String>),
}

impl Flush {
    /// What is told, as notices.
    fn notices(&self) -> Vec<String> {
        match self {
            Self::All => vec![r#"{"pgcache":1,"all":true}"#.into()],
            Self::Tables(tables) => tables.iter().map(|(oid, _)| format!(r#"{{"pgcache":1,"rel":{oid}}}"#)).collect(),
            // One by one: a notification takes 8,000 bytes at most.
            Self::Tags(tags) => {
                tags.iter().map(|tag| serde_json::json!({ "pgcache": 1, "tags": [tag] }).to_string()).collect()
            }
        }
    }
}

/// What tells `notice` by each feed.
fn statement(mode: Mode, notice: &str) -> String {
    let notice = escape_literal(notice);
    match mode {
        Mode::Notify => format!("SELECT pg_catalog.pg_notify('cache_invalidation', {notice})"),
        Mode::Outbox => format!("INSERT INTO pgcache.outbox (notice) VALUES ({notice})"),
        Mode::Wal => format!("SELECT pg_catalog.pg_logical_emit_message(true, 'pgcache.flush', {notice})"),
    }
}

/// Tells whoever listens to the database of `client` by `mode` to drop that. Fails where nobody could be told. After an error the
/// connection is of no use any more.
///
/// # Errors
/// What PostgreSQL says.
pub fn tell(client: &mut dyn Asking, mode: Mode, flush: &Flush) -> Result<Result<(), Error>, ::postgres::Error> {
    // The session that proves a notification is the one that sends it, behind a pooler too.
    client.run("BEGIN READ WRITE")?;
    let payloads = match mode {
        Mode::Outbox | Mode::Wal => Ok(flush.notices()),
        Mode::Notify => sealed(client, flush)?,
    };
    match payloads {
        Ok(payloads) => {
            for payload in &payloads {
                client.run(&statement(mode, payload))?;
            }
            client.run("COMMIT")?;
            Ok(Ok(()))
        }
        Err(error) => Ok(Err(error)),
    }
}

/// The payloads of notifications. Before a table was watched there is no secret that could prove them: then tables are named as
/// triggers of others do.
fn sealed(client: &mut dyn Asking, flush: &Flush) -> Result<Result<Vec<String>, Error>, ::postgres::Error> {
    if let Some(secret) = Secret::read(client)? {
        let process = process(&client.run("SELECT pg_catalog.pg_backend_pid()")?);
        return Ok(Ok(flush.notices().iter().map(|notice| secret.seal(notice, process)).collect()));
    }
    let by_name = |name: &String| serde_json::json!({ "table": name, "operation": "TRUNCATE" }).to_string();
    Ok(match flush {
        Flush::Tables(tables) => Ok(tables.iter().map(|(_, name)| by_name(name)).collect()),
        Flush::All | Flush::Tags(_) => Err(unproven()),
    })
}

fn process(answers: &[SimpleQueryMessage]) -> i32 {
    let number = answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.text(0)?.parse().ok(),
        _ => None,
    });
    number.unwrap_or_default()
}

fn unproven() -> Error {
    Error::new(
        ErrorKind::Malformed,
        "nobody would believe it before a table is watched: run PGCACHE.WATCH ADD for one, or flush each node",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{Notice, Relation};

    #[test]
    fn every_flush_is_a_notice_that_is_understood() {
        let told = |flush: Flush| -> Vec<Option<Notice>> {
            flush.notices().iter().map(|notice| Notice::parse(notice)).collect()
        };
        assert_eq!(told(Flush::All), [Some(Notice::All)]);
        assert_eq!(told(Flush::Tables(vec![(7, "t".into())])), [Some(Notice::Table(Relation::Oid(7)))]);
        assert_eq!(told(Flush::Tags(vec!["a\"b".into()])), [Some(Notice::Tags(vec!["a\"b".into()]))]);
    }
}
