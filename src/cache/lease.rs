//! The lease: for how long what a source told last may be relied on, and what makes it doubtful.
//!
//! A heartbeat travels the way of the change notices. When one comes back, everything that was committed before it was
//! sent has been told; so no entry is older than the time since the last one was sent. Times are milliseconds of a
//! clock that only goes forward.

/// Why something may have been missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// The first session: what changed before it nobody knows.
    Connected,
    /// The session was lost, and another one opened.
    Reconnected,
    /// PostgreSQL was restarted, or recovered from a crash.
    Restarted,
    /// Another PostgreSQL, or another timeline of it, answers.
    FailedOver,
    /// The server loaded a data set.
    Loaded,
    /// The server was a replica.
    Promoted,
    /// More notices came than could be kept.
    Overflow,
    /// Notices were removed before they could be read here.
    Trimmed,
    /// What holds the notices was emptied, or made anew.
    Recreated,
    /// A notice that nobody can read.
    Unreadable,
}

impl Gap {
    /// Every cause, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Connected,
        Self::Reconnected,
        Self::Restarted,
        Self::FailedOver,
        Self::Loaded,
        Self::Promoted,
        Self::Overflow,
        Self::Trimmed,
        Self::Recreated,
        Self::Unreadable,
    ];

    /// The word in HEALTH and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Reconnected => "reconnected",
            Self::Restarted => "restarted",
            Self::FailedOver => "failed_over",
            Self::Loaded => "loaded",
            Self::Promoted => "promoted",
            Self::Overflow => "overflow",
            Self::Trimmed => "trimmed",
            Self::Recreated => "recreated",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How far a source's change notices can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseStatus {
    /// No heartbeat has come back yet.
    Connecting,
    /// The last one is young enough.
    Live,
    /// None came back for too long.
    Suspect,
}

impl LeaseStatus {
    /// The word in HEALTH and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Suspect => "suspect",
        }
    }
}

/// What is known of one source's notices.
#[derive(Debug, Default)]
pub struct Lease {
    /// When the last heartbeat that came back was sent.
    beat_ms: Option<u64>,
    /// How many gaps there were, by cause.
    counts: [u64; Gap::ALL.len()],
    /// How many there were in all: a table whose entries are older than the last one starts a new epoch.
    gaps: u64,
}

impl Lease {
    /// A heartbeat that was sent at `sent_ms` came back.
    pub fn beat(&mut self, sent_ms: u64) {
        self.beat_ms = Some(self.beat_ms.map_or(sent_ms, |last| last.max(sent_ms)));
    }

    /// Something may have been missed.
    pub fn gap(&mut self, cause: Gap) {
        self.gaps += 1;
        self.counts[cause as usize] += 1;
    }

    /// How many gaps there were.
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    /// How many there were by each cause, but for the first session: nobody has relied on notices before it.
    pub fn counts(&self) -> impl Iterator<Item = (Gap, u64)> + '_ {
        Gap::ALL.into_iter().zip(self.counts).filter(|(gap, _)| *gap != Gap::Connected)
    }

    /// How far the notices can be relied on at `now_ms`, when heartbeats may be as old as `max_staleness_ms`.
    pub fn freshness(&self, now_ms: u64, max_staleness_ms: u64) -> LeaseStatus {
        match self.beat_ms {
            None => LeaseStatus::Connecting,
            Some(beat_ms) if now_ms < beat_ms.saturating_add(max_staleness_ms) => LeaseStatus::Live,
            Some(_) => LeaseStatus::Suspect,
        }
    }

    /// How old the last heartbeat that came back is at `now_ms`; `None` before the first.
    pub fn staleness_ms(&self, now_ms: u64) -> Option<u64> {
        self.beat_ms.map(|beat_ms| now_ms.saturating_sub(beat_ms))
    }

    /// Since when the notices are in doubt, for a lease that is [`LeaseStatus::Suspect`].
    pub fn ran_out_ms(&self, max_staleness_ms: u64) -> Option<u64> {
        self.beat_ms.map(|beat_ms| beat_ms.saturating_add(max_staleness_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lease_begins_with_the_first_heartbeat_and_runs_out_without_another() {
        let mut lease = Lease::default();
        assert_eq!((lease.freshness(0, 2000), lease.staleness_ms(0)), (LeaseStatus::Connecting, None));
        lease.beat(100);
        assert_eq!(lease.freshness(2099, 2000), LeaseStatus::Live);
        assert_eq!((lease.staleness_ms(2099), lease.staleness_ms(0)), (Some(1999), Some(0)));
        assert_eq!(lease.freshness(2100, 2000), LeaseStatus::Suspect);
        assert_eq!(lease.ran_out_ms(2000), Some(2100));
        lease.beat(2090);
        assert_eq!(lease.freshness(2100, 2000), LeaseStatus::Live);
    }

    #[test]
    fn gaps_are_counted_by_cause() {
        let mut lease = Lease::default();
        lease.gap(Gap::Connected);
        lease.gap(Gap::Overflow);
        lease.gap(Gap::Overflow);
        assert_eq!(lease.gaps(), 3);
        let told: Vec<_> = lease.counts().filter(|(_, count)| *count > 0).collect();
        assert_eq!(told, [(Gap::Overflow, 2)], "the first session is none to speak of");
    }

    #[test]
    fn every_cause_has_its_place() {
        assert!(Gap::ALL.into_iter().enumerate().all(|(place, gap)| gap as usize == place));
    }

    proptest! {
        #[test]
        fn no_live_lease_is_older_than_the_bound(beats in prop::collection::vec(0u64..100_000, 1..20), now in 0u64..200_000, bound in 1u64..5000) {
            let mut lease = Lease::default();
            beats.iter().for_each(|beat| lease.beat(*beat));
            let last = beats.iter().max().copied().unwrap_or_default();
            prop_assert_eq!(lease.freshness(now, bound) == LeaseStatus::Live, now < last + bound);
        }
    }
}
