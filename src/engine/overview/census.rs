//! Counting the entries: a walk through all keys in small slices, again and again.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cache::census::{Census, Count, SAMPLE};
use crate::engine::host::Host;
use crate::engine::{Engine, Store};

/// How long one slice takes at most, and how long nothing is counted after it: three thousandths of the main thread's time.
const SLICE: Duration = Duration::from_micros(300);
const PAUSE_MS: u64 = 100;

/// How long nothing is counted after a count that has seen every key.
const REST_MS: u64 = 1000;

/// The count under way, and what the last one came to.
#[derive(Debug, Default)]
pub struct Counting<C> {
    cursor: Option<C>,
    count: Count,
    /// Whether the count under way began with the first key.
    is_whole: bool,
    due_ms: u64,
    latest: Arc<Census>,
}

impl<C> Counting<C> {
    /// What the last count came to.
    pub fn latest(&self) -> &Arc<Census> {
        &self.latest
    }
}

impl<H: Host> Engine<H> {
    /// Counts on, where that is due.
    pub fn count_entries(&mut self, ctx: H::Context<'_>, now_ms: u64) {
        if now_ms < self.counting.due_ms || ctx.is_loading() {
            return;
        }
        self.counting.due_ms = now_ms + PAUSE_MS;
        let started = Instant::now();
        while started.elapsed() < SLICE {
            if self.count_some(ctx) {
                self.counting.due_ms = now_ms + REST_MS;
                return;
            }
        }
    }

    /// Counts a few keys. Returns whether each key of the database has been seen.
    fn count_some(&mut self, ctx: H::Context<'_>) -> bool {
        let (settings, counting) = (self.settings.get(), &mut self.counting);
        counting.is_whole |= counting.cursor.is_none() && counting.count.is_empty();
        let mut cursor = counting.cursor.take().unwrap_or_default();
        let count = &mut counting.count;
        let has_more = ctx.scan(&mut cursor, |key, bytes| count.add(key, &settings.cache_prefix, bytes));
        counting.cursor = has_more.then_some(cursor);
        let has_all = !has_more && counting.is_whole;
        if has_all || counting.count.is_enough() {
            self.end_count((!has_all).then(|| ctx.key_count()));
        } else if !has_more && ctx.key_count() <= SAMPLE {
            // There are fewer keys than there were: the next walk sees all of them.
            counting.count = Count::default();
        }
        has_all
    }

    /// Shows what the count came to, and begins the next one where it ended.
    fn end_count(&mut self, keys: Option<u64>) {
        let count = std::mem::take(&mut self.counting.count);
        let tables = self.catalog.tables.all().into_iter();
        let current: HashMap<_, _> =
            tables.map(|table| (Rc::clone(&table.name), (table.epoch, table.non_unique.epoch()))).collect();
        // A table that nobody has used since the start has the epoch that its entries say.
        self.counting.latest = Arc::new(count.census(keys, |stem| {
            current.get(stem.name).is_none_or(|(epoch, other)| stem.epoch == *epoch || stem.epoch == Some(*other))
        }));
        self.counting.is_whole = false;
    }
}
