//! The sweep: entries of earlier epochs, which nobody finds any more, are looked for and removed in the background.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::cache::epoch::Stem;
use crate::engine::host::{Callback, Host};
use crate::engine::{queries, Engine, Store, Table};

/// How long one slice takes, and how long others have the thread before the next one.
const SLICE: Duration = Duration::from_micros(500);
const PAUSE: Duration = Duration::from_millis(5);

/// How many keys are looked at between two looks at the clock.
const STEPS_PER_LOOK: usize = 32;

/// A walk through all keys, if one is under way.
#[derive(Debug, Default)]
pub struct Sweep<C> {
    cursor: Option<C>,
    /// Whether an epoch has ended that the walk under way may have missed.
    is_due: bool,
    /// Whether the next slice has been arranged for.
    is_arranged: bool,
    /// What is current, by the part of a cache key before the epoch; made anew for each walk.
    current: HashMap<Box<str>, Rc<Table>>,
}

impl<C> Sweep<C> {
    /// An epoch has ended, or a run of the cache, or a tag was dropped.
    pub fn begin(&mut self) {
        self.is_due = true;
    }

    /// Whether a walk is under way or due.
    pub fn is_under_way(&self) -> bool {
        self.is_due || self.cursor.is_some()
    }

    fn is_outdated(&self, key: &str, prefix: &str) -> bool {
        let Some(stem) = key.strip_prefix(prefix).and_then(Stem::of) else { return false };
        let Some(table) = self.current.get(stem.name) else { return false };
        stem.epoch != table.epoch && stem.epoch != Some(table.non_unique.epoch())
    }
}

impl<H: Host> Engine<H> {
    /// Has the sweep go on, if there is anything to do and this server may remove keys.
    pub fn sweep_on(&mut self, ctx: H::Context<'_>) {
        if self.freshness.sweep.is_arranged || !self.freshness.sweep.is_under_way() || ctx.may_write().is_err() {
            return;
        }
        self.freshness.sweep.is_arranged = true;
        ctx.sweep_after(PAUSE);
    }

    /// Sweeps for one slice.
    pub fn sweep_slice(&mut self, ctx: H::Context<'_>) {
        self.freshness.sweep.is_arranged = false;
        if ctx.may_write().is_err() {
            return;
        }
        let started = Instant::now();
        let mut is_done = false;
        while !is_done && started.elapsed() < SLICE {
            is_done = !self.sweep_steps(ctx);
        }
        self.catch_up(ctx);
        self.sweep_on(ctx);
    }

    /// Looks at some keys and removes those of earlier epochs. Returns whether the walk goes on.
    fn sweep_steps(&mut self, ctx: H::Context<'_>) -> bool {
        let mut cursor = match self.freshness.sweep.cursor.take() {
            Some(cursor) => cursor,
            None if self.freshness.sweep.is_due => self.first_step(),
            None => return false,
        };
        let settings = self.settings.get();
        let (sweep, mut found, mut results, mut more) = (&self.freshness.sweep, Vec::new(), Vec::new(), true);
        for _ in 0..STEPS_PER_LOOK {
            more = more
                && ctx.scan(&mut cursor, |key, _| {
                    let text = std::str::from_utf8(key).ok();
                    if text.is_some_and(|text| sweep.is_outdated(text, &settings.cache_prefix)) {
                        found.push(ctx.key(key));
                    } else if text.is_some_and(|text| queries::is_result_key(text, &settings.cache_prefix)) {
                        results.push(ctx.key(key));
                    }
                });
        }
        results.retain(|key| self.is_outdated_result(ctx, key));
        found.append(&mut results);
        for key in &found {
            self.counters.swept += u64::from(ctx.remove(key).is_ok());
        }
        if more {
            self.freshness.sweep.cursor = Some(cursor);
        } else {
            self.counters.sweeps += 1;
        }
        more
    }

    fn first_step(&mut self) -> H::Cursor {
        self.freshness.sweep.is_due = false;
        self.freshness.sweep.current =
            self.catalog.tables.all().into_iter().map(|table| ((*table.name).into(), table)).collect();
        H::Cursor::default()
    }
}
