//! From a lookup key to the cache key of its row.

use std::rc::Rc;

use crate::cache::canonical::CanonicalForm;
use crate::cache::flight::RowTarget;
use crate::cache::key::{after_spaces, LookupKey};
use crate::cache::Error;
use crate::engine::catalog::key_columns::Lookup;
use crate::engine::host::Host;
use crate::engine::{Engine, StoreKey, Table};
use crate::postgres::rows::load::KeyValues;

/// How many bytes of an array a key takes, and its comma, at the least.
const SHORT_KEY: usize = 8;

/// More memory than this is given back when its work is done.
const MAX_SCRATCH: usize = 1 << 18;

/// A lookup key on its way to its row.
#[derive(Debug)]
pub struct ResolvedKey<K> {
    /// How its columns are looked up.
    pub lookup: Rc<Lookup>,
    /// The cache key under which the row may stand. For an asking key without a known alias: its literal.
    pub cache_key: K,
    /// The cache key that its own spelling makes; differs from `cache_key` when an alias was known.
    pub as_written: Option<Vec<u8>>,
    /// Where in the cache key the canonical lookup key starts.
    pub prefix_len: usize,
    /// Whether only PostgreSQL knows the row's own spelling.
    pub needs_postgres: bool,
}

impl<K: StoreKey> ResolvedKey<K> {
    /// An entry of `table` may come to stand under this key.
    fn of(self, table: &Table) -> Self {
        if self.lookup.is_non_unique {
            table.non_unique.set_used();
        }
        self
    }

    /// What a flight loads that is for this row of `table`. Its key may mean another one later.
    pub fn target(&self, table: &Table) -> RowTarget {
        RowTarget {
            table: table.id,
            needs_postgres: self.needs_postgres,
            is_non_unique: self.lookup.is_non_unique,
            may_alias: false,
        }
    }

    /// The lookup key as it stands in the cache key.
    pub fn lookup_key(&self) -> &[u8] {
        self.cache_key.as_bytes().get(self.prefix_len..).unwrap_or_default()
    }

    /// The cache key that the flight of a load is known by.
    pub fn flight_key(&self) -> &[u8] {
        self.as_written.as_deref().unwrap_or_else(|| self.cache_key.as_bytes())
    }

    /// The values of the lookup key as its statement takes them: JSON where PostgreSQL is asked, plain texts elsewhere.
    pub fn values(&self) -> Result<KeyValues, Error> {
        let written = self.flight_key().get(self.prefix_len..).unwrap_or_default();
        if let (false, Some(values)) = (self.needs_postgres, self.lookup.plain_values(written)) {
            return Ok(values);
        }
        // What was written means what was asked for.
        let key = LookupKey::parse_written(written)?;
        if self.needs_postgres {
            return Ok(key.members().map(|(_, value)| value.get().into()).collect());
        }
        (0..key.len()).map(|index| key.text_of(index).map(Into::into)).collect()
    }
}

/// Finds the cache key for the lookup key that `json` is. `ERR`, `PGNOCOLUMN`, `PGBADVALUE`.
pub fn resolve_key<H: Host>(engine: &Engine<H>, table: &Table, json: &[u8]) -> Result<ResolvedKey<H::Key>, Error> {
    match first_resolved_key(engine, table, json) {
        Some((resolved_key, rest)) if after_spaces(rest).is_empty() => Ok(resolved_key),
        _ => resolved_by(engine, table, &LookupKey::parse(json)?),
    }
}

/// The same for each key of the array that `json` is. `ERR` as well for more than `max_multiread_keys`.
pub fn resolve_keys<H: Host>(
    engine: &Engine<H>,
    table: &Table,
    json: &[u8],
) -> Result<Vec<ResolvedKey<H::Key>>, Error> {
    let max = engine.settings.get().max_multiread_keys;
    if let Some(all) = all_at_once(engine, table, json, max) {
        return Ok(all);
    }
    let keys = LookupKey::parse_many(json, max)?.into_iter().enumerate();
    keys.map(|(index, key)| resolved_by(engine, table, &key).map_err(|error| error.of_element(index))).collect()
}

/// All keys of an array, if each is spelled as nearly all are.
fn all_at_once<H: Host>(
    engine: &Engine<H>,
    table: &Table,
    json: &[u8],
    max: usize,
) -> Option<Vec<ResolvedKey<H::Key>>> {
    let mut rest = after_spaces(json).strip_prefix(b"[")?;
    // Few keys are shorter than this.
    let mut all = Vec::with_capacity((json.len() / SHORT_KEY).min(max));
    while all.len() < max {
        let (resolved_key, after) = first_resolved_key(engine, table, rest)?;
        all.push(resolved_key);
        match after_spaces(after) {
            [b',', more @ ..] => rest = more,
            [b']', end @ ..] if after_spaces(end).is_empty() => return Some(all),
            _ => return None,
        }
    }
    None
}

/// The cache key for the lookup key that `json` begins with, if it is spelled as nearly all are, and what follows it.
fn first_resolved_key<'j, H: Host>(
    engine: &Engine<H>,
    table: &Table,
    json: &'j [u8],
) -> Option<(ResolvedKey<H::Key>, &'j [u8])> {
    with_scratch(engine, |bytes| {
        let (lookup, prefix_len, rest) = table.copy_key(json, bytes)?;
        let cache_key = H::Key::copy(bytes);
        let resolved_key = ResolvedKey { lookup, cache_key, as_written: None, prefix_len, needs_postgres: false };
        Some((resolved_key.of(table), rest))
    })
}

fn resolved_by<H: Host>(engine: &Engine<H>, table: &Table, key: &LookupKey<'_>) -> Result<ResolvedKey<H::Key>, Error> {
    let lookup = table.lookup(key)?;
    with_scratch(engine, |bytes| {
        table.write_prefix(lookup.is_non_unique, bytes);
        let prefix_len = bytes.len();
        let needs_postgres = key.write_canonical(&lookup.rules, bytes)? == CanonicalForm::ByPostgres;
        let alias = if needs_postgres { engine.catalog.aliases.find(bytes) } else { None };
        let cache_key = H::Key::copy(alias.unwrap_or(bytes));
        let as_written = alias.map(|_| bytes.clone());
        Ok(ResolvedKey { lookup, cache_key, as_written, prefix_len, needs_postgres }.of(table))
    })
}

/// Lends empty memory that was used before: a hit asks the allocator for nothing but the server's own string.
pub fn with_scratch<H: Host, T>(engine: &Engine<H>, work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut bytes = engine.catalog.scratch.take();
    bytes.clear();
    let result = work(&mut bytes);
    engine.keep_scratch(bytes);
    result
}

impl<H: Host> Engine<H> {
    /// Empty memory that was used before. To be [kept](Self::keep_scratch) again afterwards.
    pub fn take_scratch(&self) -> Vec<u8> {
        self.catalog.scratch.take()
    }

    /// The table that a client calls `spelling`, if it was resolved, in whatever epoch.
    pub fn table_named(&self, spelling: &[u8]) -> Option<Rc<Table>> {
        self.catalog.tables.find(spelling)
    }

    /// Keeps memory for whoever needs some next.
    pub fn keep_scratch(&self, bytes: Vec<u8>) {
        if bytes.capacity() <= MAX_SCRATCH {
            self.catalog.scratch.replace(bytes);
        }
    }
}
