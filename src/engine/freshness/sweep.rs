//! The sweep: entries of earlier epochs, which nobody finds any more, are looked for and removed in the background.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::cache::epoch::Stem;
use crate::engine::{queries, Engine, Table};
use crate::server::scan::Cursor;
use crate::server::{keyspace, timer, Context, Text};

/// How long one slice takes, and how long others have the thread before the next one.
const SLICE: Duration = Duration::from_micros(500);
const PAUSE: Duration = Duration::from_millis(5);

/// How many keys are looked at between two looks at the clock.
const STEPS_PER_LOOK: usize = 32;

/// A walk through all keys, if one is under way.
#[derive(Debug, Default)]
pub struct Sweep {
    cursor: Option<Cursor>,
    /// Whether an epoch has ended that the walk under way may have missed.
    is_due: bool,
    /// Whether the next slice has been arranged for.
    is_arranged: bool,
    /// What is current, by the part of a cache key before the epoch; made anew for each walk.
    current: HashMap<Box<str>, Rc<Table>>,
}

impl Sweep {
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

impl Engine {
    /// Has the sweep go on, if there is anything to do and this server may remove keys.
    pub fn sweep_on(&mut self, ctx: Context<'_>) {
        if self.freshness.sweep.is_arranged || !self.freshness.sweep.is_under_way() || keyspace::may_write(ctx).is_err()
        {
            return;
        }
        self.freshness.sweep.is_arranged = true;
        timer::after(PAUSE, |ctx| crate::engine::with(|engine| engine.sweep_slice(ctx)));
    }

    fn sweep_slice(&mut self, ctx: Context<'_>) {
        self.freshness.sweep.is_arranged = false;
        if keyspace::may_write(ctx).is_err() {
            return;
        }
        let started = Instant::now();
        let mut is_done = false;
        while !is_done && started.elapsed() < SLICE {
            is_done = !self.sweep_steps(ctx);
        }
        crate::engine::catch_up(self, ctx);
        self.sweep_on(ctx);
    }

    /// Looks at some keys and removes those of earlier epochs. Returns whether the walk goes on.
    fn sweep_steps(&mut self, ctx: Context<'_>) -> bool {
        let mut cursor = match self.freshness.sweep.cursor.take() {
            Some(cursor) => cursor,
            None if self.freshness.sweep.is_due => self.first_step(),
            None => return false,
        };
        let settings = self.settings.get();
        let (sweep, mut found, mut results, mut more) = (&self.freshness.sweep, Vec::new(), Vec::new(), true);
        for _ in 0..STEPS_PER_LOOK {
            more = more
                && cursor.step(ctx, |key| {
                    let text = std::str::from_utf8(key).ok();
                    if text.is_some_and(|text| sweep.is_outdated(text, &settings.cache_prefix)) {
                        found.push(Text::new(key));
                    } else if text.is_some_and(|text| queries::is_result_key(text, &settings.cache_prefix)) {
                        results.push(Text::new(key));
                    }
                });
        }
        results.retain(|key| self.is_outdated_result(ctx, key));
        found.append(&mut results);
        for key in &found {
            self.counters.swept += u64::from(keyspace::remove(ctx, key).is_ok());
        }
        if more {
            self.freshness.sweep.cursor = Some(cursor);
        } else {
            self.counters.sweeps += 1;
        }
        more
    }

    fn first_step(&mut self) -> Cursor {
        self.freshness.sweep.is_due = false;
        self.freshness.sweep.current =
            self.catalog.tables.all().into_iter().map(|table| ((*table.name).into(), table)).collect();
        Cursor::new()
    }
}
