//! From a lookup key to the cache key of its row.

use std::rc::Rc;

use crate::cache::canonical::Spelling;
use crate::cache::error::Error;
use crate::cache::key::LookupKey;
use crate::postgres::load::KeyValues;

use super::state::Engine;
use super::tables::{Lookup, Table};

/// A lookup key on its way to its row.
#[derive(Debug)]
pub struct Located {
    /// How its columns are looked up.
    pub lookup: Rc<Lookup>,
    /// The cache key under which the row may stand. For an asking key without a known alias: its literal.
    pub cache_key: Vec<u8>,
    /// The cache key that its own spelling makes; differs from `cache_key` when an alias was known.
    pub literal: Option<Vec<u8>>,
    /// Where in the cache key the canonical lookup key starts.
    pub prefix_len: usize,
    /// Whether only PostgreSQL knows the row's own spelling.
    pub asks: bool,
}

impl Located {
    /// The lookup key as it stands in the cache key.
    pub fn lookup_key(&self) -> &[u8] {
        self.cache_key.get(self.prefix_len..).unwrap_or_default()
    }

    /// The cache key that the flight of a load is known by.
    pub fn flight_key(&self) -> &[u8] {
        self.literal.as_deref().unwrap_or(&self.cache_key)
    }
}

/// Finds the cache key for `key`. `PGNOCOLUMN`, `PGBADVALUE`.
pub fn locate(engine: &Engine, table: &Table, key: &LookupKey<'_>) -> Result<Located, Error> {
    let lookup = table.lookup(key)?;
    let prefix = table.prefix_for(&lookup);
    let mut cache_key = Vec::with_capacity(prefix.len() + 64);
    cache_key.extend_from_slice(&prefix);
    let asks = key.write_canonical(&lookup.rules, &mut cache_key)? == Spelling::Ask;
    let prefix_len = prefix.len();
    let alias = if asks { engine.aliases.find(&cache_key) } else { None };
    let (cache_key, literal) = match alias {
        Some(own) => (own.to_vec(), Some(cache_key)),
        None => (cache_key, None),
    };
    Ok(Located { lookup, cache_key, literal, prefix_len, asks })
}

/// The same for several keys.
pub fn locate_all<'k>(
    engine: &Engine,
    table: &Table,
    keys: impl IntoIterator<Item = LookupKey<'k>>,
) -> Result<Vec<Located>, Error> {
    keys.into_iter().map(|key| locate(engine, table, &key)).collect()
}

/// The values of `key` as its statement takes them: JSON where PostgreSQL is asked, plain texts elsewhere.
pub fn values(key: &LookupKey<'_>, asks: bool) -> Result<KeyValues, Error> {
    if asks {
        return Ok(key.members().map(|(_, value)| value.get().into()).collect());
    }
    (0..key.len()).map(|index| key.text_of(index).map(Into::into)).collect()
}
