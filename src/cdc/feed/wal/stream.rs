//! The stream: what comes through the slot, and what it means.

use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant};

use super::control::{Control, BEAT};
use super::emitted::EmittedNotices;
use super::pgoutput::{self, Message};
use super::relation::Relation;
use super::transaction::Transaction;
use crate::cache::{Gap, Lsn, Progress};
use crate::cdc::feed::{FeedEvent, Tell};
use crate::cdc::Lost;
use crate::postgres::connection::replication::{Replication, Streamed};

/// How many rows and tables are told at once.
const TOLD_AT_ONCE: usize = 1000;
/// After so many transactions at once, more are let come together before the next look: each look costs PostgreSQL and us as much as a
/// transaction does.
const BUSY: usize = 4;
const GATHERING: Duration = Duration::from_millis(1);
/// How often PostgreSQL is told what it need not keep any more.
const CONFIRM_PAUSE: Duration = Duration::from_millis(500);
/// How long that may take.
const CONFIRM_PATIENCE: Duration = Duration::from_secs(5);

/// The stream of one slot.
pub(super) struct Stream {
    replication: Replication,
    /// The slot.
    pub slot: String,
    relations: HashMap<u32, Relation>,
    transaction: Option<Transaction>,
    /// A heartbeat in the transaction under way.
    beat: Option<Instant>,
    emitted: EmittedNotices,
    /// A number of a transaction, with its epoch, that is not far from those that come.
    near: u64,
    /// When the postmaster was started.
    started: Box<str>,
    /// Everything before this position has been told.
    pub told: Lsn,
    confirmed: (Lsn, Instant),
    /// When anything came last.
    pub heard: Instant,
    /// Whether many transactions came at once last.
    is_busy: bool,
}

impl Stream {
    /// Of `slot`, which `replication` streams from `start` on; `near` is the number of a transaction of now, and the
    /// postmaster was `started` then.
    pub(super) fn new(replication: Replication, slot: String, start: Lsn, near: u64, started: &str) -> Self {
        let now = Instant::now();
        Self {
            replication,
            slot,
            relations: HashMap::new(),
            transaction: None,
            beat: None,
            emitted: EmittedNotices::new(now),
            near,
            started: started.into(),
            told: start,
            confirmed: (Lsn(0), now),
            heard: now,
            is_busy: false,
        }
    }

    /// Waits for something, for `patience` at most or until `urged` is there, and takes what else is there.
    pub(super) fn hear(
        &mut self,
        patience: Duration,
        urged: impl Future<Output = ()>,
        control: &mut Control,
        tell: &mut Tell<'_>,
    ) -> Result<Heard, Lost> {
        if std::mem::take(&mut self.is_busy) {
            std::thread::sleep(GATHERING.min(patience));
        }
        let mut heard = Heard::default();
        let mut next = self.replication.next(patience, urged).map_err(|error| lost(&error))?;
        while let Some(streamed) = next {
            self.heard = Instant::now();
            self.take(streamed, control, tell, &mut heard)?;
            next = self.replication.next_received().map_err(|error| lost(&error))?;
        }
        self.is_busy = heard.transactions >= BUSY;
        if self.replication.is_stopped() {
            return Err(Lost("the connection was closed".into()));
        }
        Ok(heard)
    }

    fn take(
        &mut self,
        streamed: Streamed,
        control: &mut Control,
        tell: &mut Tell<'_>,
        heard: &mut Heard,
    ) -> Result<(), Lost> {
        match streamed {
            Streamed::KeepAlive { sent, wants_reply } => {
                // In a transaction its end is still to come.
                if self.transaction.is_none() && sent > self.told {
                    self.told = sent;
                    tell(FeedEvent::Applied(sent));
                }
                heard.wants_reply |= wants_reply;
                Ok(())
            }
            Streamed::Data(bytes) => match Message::parse(&bytes) {
                Ok(message) => self.take_message(message, control, tell, heard),
                Err(error) => {
                    tell(FeedEvent::Gap(Gap::Unreadable));
                    Err(Lost(error.to_string()))
                }
            },
        }
    }

    fn take_message(
        &mut self,
        message: Message<'_>,
        control: &mut Control,
        tell: &mut Tell<'_>,
        heard: &mut Heard,
    ) -> Result<(), Lost> {
        match message {
            Message::Begin { xid } => {
                let xid = widened(xid, self.near);
                self.near = xid;
                heard.transactions += 1;
                self.transaction = Some(Transaction::new(xid));
            }
            Message::Commit { end } => self.commit(end, tell),
            Message::Relation(relation) => self.learn(&relation, control)?,
            Message::Emitted { is_transactional, prefix, content } => {
                self.take_emitted(is_transactional, prefix, content, control);
            }
            message => self.change(&message),
        }
        if self.transaction.as_ref().is_some_and(|transaction| transaction.waiting() >= TOLD_AT_ONCE) {
            self.tell_changes(tell);
        }
        Ok(())
    }

    fn change(&mut self, message: &Message<'_>) {
        let Some(transaction) = &mut self.transaction else { return };
        match message {
            Message::Insert { relation, new } => {
                transaction.changed(*relation, self.relations.get(relation), None, Some(new));
            }
            Message::Update { relation, old, new } => {
                transaction.changed(*relation, self.relations.get(relation), old.as_ref(), Some(new));
            }
            Message::Delete { relation, old } => {
                transaction.changed(*relation, self.relations.get(relation), Some(old), None);
            }
            Message::Truncate { relations } => relations.iter().for_each(|oid| transaction.all_changed(*oid)),
            _ => {}
        }
    }

    fn learn(&mut self, told: &pgoutput::Relation<'_>, control: &mut Control) -> Result<(), Lost> {
        let relation = Relation::read(told, &mut control.connection)?;
        self.relations.insert(told.oid, relation);
        Ok(())
    }

    fn take_emitted(&mut self, is_transactional: bool, prefix: &[u8], content: &[u8], control: &mut Control) {
        let Some(transaction) = self.transaction.as_mut().filter(|_| is_transactional) else { return };
        if prefix == BEAT {
            self.beat = control.came(content).or(self.beat);
        } else if let Some(notice) = self.emitted.take(prefix, content, Instant::now()) {
            transaction.told(notice);
        }
    }

    /// The transaction under way has ended.
    fn commit(&mut self, end: Lsn, tell: &mut Tell<'_>) {
        self.tell_changes(tell);
        self.transaction = None;
        self.told = end;
        tell(match self.beat.take() {
            Some(sent) => {
                FeedEvent::Beat { sent, lsn: Some(end), progress: Some(Progress::to_position(&self.started, end)) }
            }
            None => FeedEvent::Applied(end),
        });
    }

    fn tell_changes(&mut self, tell: &mut Tell<'_>) {
        let Some(transaction) = &mut self.transaction else { return };
        let notices = transaction.take();
        if !notices.is_empty() {
            tell(FeedEvent::Notices { xid: Some(transaction.xid), notices });
        }
    }

    /// Tells PostgreSQL what it need not keep any more, when it is time or `at_once`.
    pub(super) fn confirm(&mut self, at_once: bool) -> Result<(), Lost> {
        let (confirmed, when) = self.confirmed;
        let is_due = when.elapsed() >= CONFIRM_PAUSE && self.told > confirmed;
        if at_once || is_due {
            self.replication.confirm(self.told, CONFIRM_PATIENCE).map_err(|error| lost(&error))?;
            self.confirmed = (self.told, Instant::now());
        }
        Ok(())
    }
}

/// What came besides that has been told.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Whether PostgreSQL waits for a sign of life.
    pub wants_reply: bool,
    /// How many transactions began.
    transactions: usize,
}

fn lost(error: &impl std::fmt::Display) -> Lost {
    Lost(format!("the stream of the write-ahead log has ended: {error}"))
}

/// `xid` with the epoch that brings it nearest to `near`.
fn widened(xid: u32, near: u64) -> u64 {
    const EPOCH: u64 = 1 << 32;
    let same = (near & !(EPOCH - 1)) | u64::from(xid);
    let all = [same.checked_sub(EPOCH), Some(same), same.checked_add(EPOCH)];
    all.into_iter().flatten().min_by_key(|xid| xid.abs_diff(near)).unwrap_or(same)
}

#[cfg(test)]
mod tests {
    use super::widened;

    #[test]
    fn a_number_gets_the_epoch_of_its_neighbours() {
        assert_eq!(widened(7, 5), 7);
        assert_eq!(widened(u32::MAX, (1 << 32) + 3), u64::from(u32::MAX));
        assert_eq!(widened(3, u64::from(u32::MAX)), (1 << 32) + 3);
        assert_eq!(widened(9, (5 << 32) + 2), (5 << 32) + 9);
    }
}
