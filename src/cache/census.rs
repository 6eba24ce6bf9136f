//! The census: how many entries there are and how large they are, by table and by query, counted or estimated from a sample of all keys.

use std::collections::HashMap;

use super::epoch::Stem;
use super::named_query::{FREE, NAMED};

/// After so many keys a count ends: more of them than there are make it exact, fewer make it a sample.
pub const SAMPLE: u64 = 20_000;

/// How many tables, epochs of tables and queries one count tells apart.
const MAX_STEMS: usize = 2000;

/// Entries, with the bytes of their keys and values.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    /// How many.
    pub entries: u64,
    /// How large they are together.
    pub bytes: u64,
}

impl Amount {
    fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.bytes += other.bytes;
    }

    /// Times `keys`, by `seen`.
    fn scaled(self, keys: u64, seen: u64) -> Self {
        let scale = |value: u64| (u128::from(value) * u128::from(keys) / u128::from(seen.max(1))) as u64;
        Self { entries: scale(self.entries), bytes: scale(self.bytes) }
    }
}

/// What a count came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Census {
    /// Entries that can be found.
    pub all: Amount,
    /// Entries of earlier epochs, which wait for the sweep.
    pub outdated: Amount,
    /// Whether a sample stands for all keys; else each of them was counted.
    pub is_estimate: bool,
    by_name: HashMap<Box<str>, Amount>,
}

impl Census {
    /// The entries of a table, by its name as it stands in cache keys.
    pub fn of_table(&self, name: &str) -> Amount {
        self.by_name.get(name).copied().unwrap_or_default()
    }

    /// The entries of the query whose cache keys start with `stem` behind `cache_prefix`: `@query:top`.
    pub fn of_query(&self, stem: &str) -> Amount {
        self.of_table(stem)
    }
}

/// A count under way.
#[derive(Debug, Default)]
pub struct Count {
    seen: u64,
    by_stem: HashMap<Box<str>, Amount>,
    /// Those beyond [`MAX_STEMS`].
    others: Amount,
}

impl Count {
    /// Counts one key of the database: an entry's, or somebody else's.
    pub fn add(&mut self, key: &[u8], cache_prefix: &str, value_bytes: usize) {
        self.seen += 1;
        let stem = std::str::from_utf8(key).ok().and_then(|key| stem_of(key.strip_prefix(cache_prefix)?));
        let Some(stem) = stem else { return };
        let amount = Amount { entries: 1, bytes: (key.len() + value_bytes) as u64 };
        if let Some(known) = self.by_stem.get_mut(stem) {
            known.add(amount);
        } else if self.by_stem.len() < MAX_STEMS {
            self.by_stem.insert(stem.into(), amount);
        } else {
            self.others.add(amount);
        }
    }

    /// Whether it has seen no key yet.
    pub fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// Whether it has seen enough.
    pub fn is_enough(&self) -> bool {
        self.seen >= SAMPLE
    }

    /// What it came to, where the database has so many `keys`; `None`: each of them was counted. `is_current` says whether entries of
    /// that table and epoch can still be found.
    pub fn census(&self, keys: Option<u64>, is_current: impl Fn(&Stem<'_>) -> bool) -> Census {
        let (is_estimate, keys, seen) = (keys.is_some(), keys.unwrap_or(self.seen), self.seen);
        let mut census = Census { all: self.others.scaled(keys, seen), is_estimate, ..Census::default() };
        for (stem, amount) in &self.by_stem {
            let (amount, stem) = (amount.scaled(keys, seen), Stem::parse(stem));
            if is_current(&stem) {
                census.all.add(amount);
                census.by_name.entry(stem.name.into()).or_default().add(amount);
            } else {
                census.outdated.add(amount);
            }
        }
        census
    }
}

/// What an entry's key starts with, without `cache_prefix`: table and epoch, a named query, or [`FREE`] for all others. `None`: it is no
/// entry's.
fn stem_of(rest: &str) -> Option<&str> {
    let of_source = rest.find(':').map_or("", |colon| &rest[colon + 1..]);
    let kind = [rest, of_source].into_iter().find(|text| text.starts_with(NAMED) || text.starts_with(FREE));
    match kind {
        None => rest.split_once(":{").map(|(stem, _)| stem),
        Some(query) if query.starts_with(FREE) => Some(FREE),
        Some(query) => {
            let end = query[NAMED.len()..].find(':')?;
            rest.get(..rest.len() - query.len() + NAMED.len() + end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(keys: &[&str]) -> Count {
        let mut count = Count::default();
        keys.iter().for_each(|key| count.add(key.as_bytes(), "p:", 10));
        count
    }

    #[test]
    fn entries_count_for_their_table_and_for_their_query() {
        let keys = [
            "p:users:{\"id\":1}",
            "p:users@17:{\"id\":1}",
            "p:a:users:{\"id\":1}",
            "p:@query:top:[\"x:{\"]",
            "p:a:@query:top:[1]",
            "p:@sql:0a1b:[]",
            "p:@sql:ffff:[]",
            "p:@epoch:users",
            "p:@hooks",
            "session:1",
        ];
        let census = counted(&keys).census(None, |_| true);
        let of = |name| census.of_table(name).entries;
        assert_eq!((of("users"), of("a:users"), of("@query:top"), of("a:@query:top"), of(FREE)), (2, 1, 1, 1, 2));
        assert_eq!((census.all.entries, census.is_estimate), (7, false));
        assert_eq!(census.of_table("a:users").bytes, "p:a:users:{\"id\":1}".len() as u64 + 10);
    }

    #[test]
    fn what_nobody_finds_any_more_counts_for_itself() {
        let count = counted(&["p:users@17:{\"id\":1}", "p:users@18:{\"id\":1}"]);
        let census = count.census(None, |stem| stem.epoch == Some(18));
        assert_eq!((census.all.entries, census.outdated.entries, census.of_table("users").entries), (1, 1, 1));
    }

    #[test]
    fn a_sample_stands_for_all_keys() {
        let census = counted(&["p:users:{\"id\":1}", "session:1"]).census(Some(1000), |_| true);
        assert_eq!((census.of_table("users").entries, census.is_estimate), (500, true));
    }

    #[test]
    fn any_number_of_tables_takes_bounded_memory() {
        let mut count = Count::default();
        (0..3000).for_each(|table| count.add(format!("p:t{table}:{{}}").as_bytes(), "p:", 1));
        assert_eq!((count.by_stem.len(), count.census(None, |_| true).all.entries), (MAX_STEMS, 3000));
    }

    #[test]
    fn an_empty_database_has_no_entries() {
        assert_eq!(Count::default().census(None, |_| true), Census::default());
    }
}
