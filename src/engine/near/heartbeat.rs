//! Heartbeats: what was told by now, source by source.

use std::fmt::Write;

use crate::cache::canonical::write_string;
use crate::cache::lease::LeaseStatus;
use crate::engine::freshness::leases::SourceFreshness;
use crate::engine::host::Host;
use crate::engine::{Engine, Store};
use crate::settings::Invalidation;

/// How many heartbeats there are in the time that a near cache may be behind.
const BEATS: u64 = 8;

/// Milliseconds between two of them at the most: a new listener waits for the first one.
const MAX_PAUSE_MS: u64 = 250;

impl<H: Host> Engine<H> {
    /// Publishes a heartbeat if one is due, and learns by that whether anybody listens: to ask the server would show in its statistics and
    /// in MONITOR. Only a node of a cluster asks, because what it publishes goes to all others.
    pub fn beat_near_caches(&mut self, store: impl Store, now_ms: u64) {
        if now_ms < self.near.beat_ms {
            return;
        }
        self.near.beat_ms = now_ms + (self.max_staleness_ms() / BEATS).min(MAX_PAUSE_MS);
        self.publish_near_messages(store);
        self.near.seq += 1;
        let channel = self.near_channel(store).as_bytes().to_vec();
        let heard_by = if store.may_publish(&channel) { store.publish(&channel, &self.heartbeat(now_ms)) } else { 0 };
        self.near.is_heard = heard_by > 0;
    }

    fn max_staleness_ms(&self) -> u64 {
        self.settings.get().max_staleness.as_millis() as u64
    }

    fn heartbeat(&self, now_ms: u64) -> Vec<u8> {
        let (run, seq, max_staleness_ms) = (&self.near.run, self.near.seq, self.max_staleness_ms());
        let mut json =
            format!(r#"{{"run":"{run}","seq":{seq},"max_staleness_ms":{max_staleness_ms},"sources":{{"#).into_bytes();
        let told = (0..self.freshness.leases.len()).filter_map(|source| {
            let known = self.freshness.leases.get(source).filter(|known| known.mode != Invalidation::Off)?;
            Some((self.sources.name(source), known))
        });
        for (index, (name, known)) in told.enumerate() {
            if index > 0 {
                json.push(b',');
            }
            write_string(name, &mut json);
            json.push(b':');
            write_age(known, now_ms, max_staleness_ms, &mut json);
        }
        json.extend_from_slice(b"}}");
        json
    }
}

/// Writes how long ago the changes were committed that may not have been told, or why nobody knows.
fn write_age(known: &SourceFreshness, now_ms: u64, max_staleness_ms: u64, json: &mut Vec<u8>) {
    let status = known.lease.freshness(now_ms, max_staleness_ms);
    match known.lease.staleness_ms(now_ms).filter(|_| status == LeaseStatus::Live) {
        Some(age_ms) => {
            let mut text = String::new();
            // A string takes everything.
            let _written = write!(text, r#"{{"age_ms":{age_ms}}}"#);
            json.extend_from_slice(text.as_bytes());
        }
        None => {
            json.extend_from_slice(b"{\"suspect\":");
            write_string(known.reason.as_deref().unwrap_or(status.name()), json);
            json.push(b'}');
        }
    }
}
