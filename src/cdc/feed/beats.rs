//! Heartbeats that travel the way of the notices.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::cache::Lsn;

/// How many heartbeats go into the longest time without one, and how long they are apart at least and at most.
pub(super) const BEATS_PER_LEASE: u32 = 8;
const BEAT_PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));
/// Heartbeats that may be under way: those before them are given up.
const BEATS_UNDER_WAY: usize = 16;
/// With so many under way no further one is sent before it is due, or those that wait for one would have all of them given up.
const MANY_UNDER_WAY: usize = 4;

/// How long heartbeats are apart.
pub(super) fn pause_between(max_staleness: Duration) -> Duration {
    (max_staleness / BEATS_PER_LEASE).clamp(BEAT_PAUSE.0, BEAT_PAUSE.1)
}

/// A heartbeat on its way.
pub(super) struct Beat {
    text: String,
    pub(super) sent: Instant,
    /// The server process that it came from, which PostgreSQL tells with it: what others send is not ours.
    pub(super) process: Option<i32>,
    /// A position that the write-ahead log had reached while it was sent. Whoever commits at or before it has queued his notices
    /// before: the heartbeat is queued at the end of its transaction.
    pub(super) lsn: Option<Lsn>,
}

/// Heartbeats on their way.
pub(super) struct Beats {
    /// What makes those of this session unlike all others.
    name: String,
    number: u64,
    pub(super) under_way: VecDeque<Beat>,
    pub last: Instant,
}

impl Beats {
    pub fn new() -> Self {
        let name = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        Self { name, number: 0, under_way: VecDeque::new(), last: Instant::now() }
    }

    /// When the next one is to be sent.
    pub fn due(&self, max_staleness: Duration) -> Instant {
        self.last + pause_between(max_staleness)
    }

    /// The call that sends the next one, now.
    pub fn next(&mut self) -> String {
        self.number += 1;
        let text = format!("{}-{}", self.name, self.number);
        let call = format!("pg_catalog.pg_notify('cache_invalidation', '{{\"pgcache\":1,\"beat\":\"{text}\"}}')");
        if self.under_way.len() >= BEATS_UNDER_WAY {
            self.under_way.pop_front();
        }
        self.last = Instant::now();
        self.under_way.push_back(Beat { text, sent: self.last, process: None, lsn: None });
        call
    }

    /// The last one came from this server process, when the write-ahead log had reached that position.
    pub fn sent_by(&mut self, process: Option<&str>, lsn: Option<&str>) {
        if let Some(beat) = self.under_way.back_mut() {
            beat.process = process.and_then(|process| process.parse().ok());
            beat.lsn = lsn.and_then(|lsn| lsn.parse().ok());
        }
    }

    /// Whether one may be sent before it is due.
    pub fn has_room(&self) -> bool {
        self.under_way.len() < MANY_UNDER_WAY
    }

    /// The one with that text, if it is ours. Those before it will not come any more.
    pub fn came(&mut self, text: &str, process: i32) -> Option<Beat> {
        let is_ours = |beat: &Beat| beat.text == text && beat.process == Some(process);
        let place = self.under_way.iter().position(is_ours)?;
        self.under_way.drain(..=place).next_back()
    }
}
