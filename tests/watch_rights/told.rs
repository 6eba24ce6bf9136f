//! What is told of changes, opened with the secret.

use pgcache::cdc::install::Mode;
use pgcache::cdc::Secret;
use postgres::fallible_iterator::FallibleIterator;
use serde_json::Value;

use crate::support::eventually::PATIENCE;
use crate::support::Database;

/// Listens to one database.
pub struct Told<'d> {
    database: &'d Database<'d>,
    mode: Mode,
    subscriber: postgres::Client,
    heard: i64,
}

impl<'d> Told<'d> {
    /// What is told from now on.
    pub fn by(database: &'d Database<'d>, mode: Mode) -> Self {
        let mut subscriber = database.connect();
        subscriber.batch_execute("LISTEN cache_invalidation").unwrap();
        Self { database, mode, subscriber, heard: 0 }
    }

    /// The notices since the last time that `wanted` says so of.
    pub fn since_last(&mut self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let notices = match self.mode {
            Mode::Notify => self.notified(),
            Mode::Outbox => self.written(),
            Mode::Wal => unreachable!("nothing of ours runs in a table that the write-ahead log tells of"),
        };
        let notices = notices.iter().map(|notice| serde_json::from_str(notice).unwrap());
        notices.filter(wanted).collect()
    }

    /// Notices come in the order of commits: what comes before our own has been committed before it.
    fn notified(&mut self) -> Vec<String> {
        self.subscriber.batch_execute("NOTIFY cache_invalidation, 'end'").unwrap();
        let secret = Secret::read(&mut self.database.connect()).unwrap().unwrap();
        let mut notices = Vec::new();
        let mut all = self.subscriber.notifications();
        let mut all = all.timeout_iter(PATIENCE);
        while let Some(notice) = all.next().unwrap() {
            if notice.payload() == "end" {
                return notices;
            }
            notices.push(secret.open(notice.payload(), notice.process_id()).unwrap());
        }
        panic!("our own notice never came");
    }

    fn written(&mut self) -> Vec<String> {
        let sql = "SELECT id, notice FROM pgcache.outbox WHERE id > $1 ORDER BY id";
        let rows = self.subscriber.query(sql, &[&self.heard]).unwrap();
        self.heard = rows.last().map_or(self.heard, |row| row.get(0));
        rows.iter().map(|row| row.get(1)).collect()
    }
}
