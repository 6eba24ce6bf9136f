//! Notices of others' triggers, which carry no proof: whoever sends very many has whole tables dropped, once a second.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::cache::{Notice, Relation};

/// How many are taken as they are in a second.
const PER_SECOND: usize = 1000;
const SECOND: Duration = Duration::from_secs(1);
/// How many tables are remembered of those beyond, and how long a name may be: twice what PostgreSQL has room for.
const TABLES: usize = 1000;
const NAME: usize = 255;

/// Those of the second that runs.
#[derive(Debug)]
pub(crate) struct Unproven {
    began: Instant,
    count: usize,
    late: BTreeSet<String>,
}

impl Unproven {
    /// None came yet.
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, count: 0, late: BTreeSet::new() }
    }

    /// Takes one at `now`: returned as it is, or kept back when there are too many.
    pub(crate) fn take(&mut self, notice: Notice, now: Instant) -> Option<Notice> {
        // While a table's drop is kept back a second is not over, however much of it has passed: see `due`.
        if self.late.is_empty() && now.saturating_duration_since(self.began) >= SECOND {
            *self = Self::new(now);
        }
        self.count += 1;
        if self.count <= PER_SECOND {
            return Some(notice);
        }
        if let Notice::Rows { relation: Relation::Name(name), .. } | Notice::Table(Relation::Name(name)) = notice {
            if self.late.len() < TABLES && name.len() <= NAME {
                self.late.insert(name);
            }
        }
        None
    }

    /// The drops that were kept back, once the second is over.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Notice> {
        if self.late.is_empty() || now.saturating_duration_since(self.began) < SECOND {
            return Vec::new();
        }
        let late = std::mem::replace(self, Self::new(now)).late;
        late.into_iter().map(|name| Notice::Table(Relation::Name(name))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Notice {
        Notice::Table(Relation::Name(name.into()))
    }

    #[test]
    fn a_table_is_dropped_once_for_all_that_came_beyond_the_limit() {
        let then = Instant::now();
        let mut unproven = Unproven::new(then);
        for n in 0..5 * PER_SECOND {
            assert_eq!(unproven.take(table("t"), then).is_some(), n < PER_SECOND);
        }
        assert_eq!(unproven.due(then), []);
        assert_eq!(unproven.due(then + SECOND), [table("t")]);
        assert_eq!(unproven.due(then + 2 * SECOND), []);
        assert!(unproven.take(table("t"), then + 2 * SECOND).is_some());
    }

    #[test]
    fn names_take_a_bounded_room() {
        let then = Instant::now();
        let mut unproven = Unproven::new(then);
        for n in 0..PER_SECOND + 3 * TABLES {
            unproven.take(table(&format!("t{n}")), then);
        }
        unproven.take(table(&"x".repeat(300)), then);
        assert_eq!(unproven.due(then + SECOND).len(), TABLES);
    }
}
