//! Trust: which notices are proven to be ours, and what becomes of the others.

use std::time::{Duration, Instant};

use super::beats::BEATS_PER_LEASE;
use super::notify::ReceivedNotices;
use super::unproven::Unproven;
use super::{FeedEvent, Tell};
use crate::cache::{Gap, Notice};
use crate::cdc::connection::FeedConnection;
use crate::cdc::secret::Secret;
use crate::cdc::Lost;

/// How often the secret is read again at most, and how often it is told how many notices were left out.
const SECRET_PAUSE: Duration = Duration::from_secs(1);
const FOREIGN_PAUSE: Duration = Duration::from_millis(500);
/// How many notices in doubt are kept meanwhile: less than 2 MB.
const DOUBTFUL: usize = 200;

/// What notifications are held against.
pub(super) struct Trust {
    /// What proves notices; `None`: nothing does.
    pub secret: Option<Secret>,
    /// When that was read again last.
    read: Option<Instant>,
    /// Notices in our form that it does not prove: those of another secret, perhaps, until it has been read again.
    pub(super) doubtful: Vec<(String, i32)>,
    /// Those of them that there was no room for.
    lost: u64,
    unproven: Unproven,
    /// Notices that were left out since that was told.
    pub foreign: u64,
    told: Instant,
}

impl Trust {
    pub fn new(secret: Option<Secret>) -> Self {
        let now = Instant::now();
        Self { secret, read: None, doubtful: Vec::new(), lost: 0, unproven: Unproven::new(now), foreign: 0, told: now }
    }

    /// Takes a notice that carries no proof.
    pub fn take(&mut self, notice: Notice) -> Option<Notice> {
        let taken = self.unproven.take(notice, Instant::now());
        self.foreign += u64::from(taken.is_none());
        taken
    }

    /// Keeps a notice that the secret does not prove, until it has been read again.
    pub fn doubt(&mut self, payload: &str, process: i32) {
        match self.doubtful.len() < DOUBTFUL {
            true => self.doubtful.push((payload.to_owned(), process)),
            false => self.lost += 1,
        }
    }

    pub fn is_in_doubt(&self) -> bool {
        !self.doubtful.is_empty()
    }

    /// Reads the secret again when notices are in doubt, and not too often: others can send such notices as well. Until then
    /// no heartbeat is told, so that a notice of ours is not relied on to have been told. Another secret in the place of
    /// the one before is a gap, and so is a first one when there was no room for all notices.
    pub fn settle(
        &mut self,
        connection: &mut FeedConnection,
        max_staleness: Duration,
        batch: &mut ReceivedNotices,
    ) -> Result<Option<Gap>, Lost> {
        let pause = (max_staleness / BEATS_PER_LEASE).min(SECRET_PAUSE);
        if !self.is_in_doubt() || self.read.is_some_and(|read| read.elapsed() < pause) {
            return Ok(None);
        }
        let before = std::mem::replace(&mut self.secret, Secret::read(connection.client())?);
        self.read = Some(Instant::now());
        let (doubtful, lost) = (std::mem::take(&mut self.doubtful), std::mem::take(&mut self.lost));
        self.foreign += lost;
        let is_other = self.secret != before;
        for (payload, process) in doubtful {
            self.open_again(&payload, process, batch);
        }
        Ok((is_other && (before.is_some() || lost > 0)).then_some(Gap::Recreated))
    }

    pub fn open_again(&mut self, payload: &str, process: i32, batch: &mut ReceivedNotices) {
        match self.secret.as_ref().and_then(|secret| secret.open(payload, process)) {
            Some(text) => batch.add_proven(&text),
            None => self.foreign += 1,
        }
    }

    /// Tells the drops that were kept back, and how many notices were left out.
    pub fn tell(&mut self, tell: &mut Tell<'_>) {
        let late = self.unproven.due(Instant::now());
        if !late.is_empty() {
            tell(FeedEvent::Notices { xid: None, notices: late });
        }
        if self.foreign > 0 && self.told.elapsed() >= FOREIGN_PAUSE {
            self.told = Instant::now();
            tell(FeedEvent::Foreign(std::mem::take(&mut self.foreign)));
        }
    }
}
