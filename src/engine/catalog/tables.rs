//! The memo of resolved tables: what a client's spelling of a name means, and how its keys are looked up.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::cache::change::Changes;
use crate::cache::key::LookupKey;
use crate::cache::{Error, Relation, TableDefinition};
use crate::clock::beginning;
use crate::engine::catalog::key_columns::Lookup;
use crate::engine::catalog::non_unique::NonUnique;
use crate::engine::Store;
use crate::workers::SourceIndex;

/// Names that clients may use before the memo starts anew: any number of spellings resolve to one table.
const MAX_NAMES: usize = 10_000;

/// Sets of key columns that one table remembers before it starts anew.
const MAX_LOOKUPS: usize = 64;

/// A table as the cache knows it.
#[derive(Debug)]
pub struct Table {
    /// Stays the same when the definition or the epoch changes.
    pub id: u64,
    /// Where it is.
    pub source: SourceIndex,
    /// What the catalog says.
    pub definition: Arc<TableDefinition>,
    /// As it stands in cache keys and events: `users`, `analytics:public.users`.
    pub name: Rc<str>,
    /// Its epoch, once it has changed.
    pub epoch: Option<u64>,
    /// The latest epoch that it has ever been in. A replica may go back to its master's; as a master it uses no epoch twice.
    last_epoch: Option<u64>,
    /// What every cache key of it starts with: `pg_cache:users:`, `pg_cache:users@<epoch>:`.
    pub prefix: Rc<[u8]>,
    /// The same without the epoch: what the server's ACL is asked about, so that its patterns stay true.
    pub acl_prefix: Rc<[u8]>,
    /// Entries that any change may be about.
    pub non_unique: NonUnique,
    /// Its changes, for what was read of several tables at once. All its epochs share them.
    pub changes: Rc<Changes>,
    /// The number of the last mass drop before this epoch began.
    pub drop: u64,
    /// When the catalog was last asked about it, on the clock that only goes forward.
    pub described_ms: Cell<u64>,
    /// When the catalog was asked for this definition: what it was asked before is out of date.
    pub asked: Cell<Instant>,
    lookups: RefCell<Vec<Rc<Lookup>>>,
}

impl Table {
    /// Appends the prefix of its cache keys: that of entries under no unique key, or that of the others.
    pub fn write_prefix(&self, is_non_unique: bool, out: &mut Vec<u8>) {
        if is_non_unique {
            self.non_unique.write_prefix(out);
        } else {
            out.extend_from_slice(&self.prefix);
        }
    }

    /// Writes the cache key for the lookup key that `json` begins with, if its columns are known and it is spelled as nearly
    /// all are. Returns how it is looked up, where in `out` the lookup key starts, and what follows it in `json`.
    pub fn copy_key<'j>(&self, json: &'j [u8], out: &mut Vec<u8>) -> Option<(Rc<Lookup>, usize, &'j [u8])> {
        self.lookups.borrow().iter().find_map(|lookup| {
            out.clear();
            self.write_prefix(lookup.is_non_unique, out);
            let prefix_len = out.len();
            let rest = lookup.shape.copy(json, out)?;
            Some((Rc::clone(lookup), prefix_len, rest))
        })
    }

    /// The epoch that begins at `now_ms`: later than any before it, also those of earlier runs whose record was lost.
    pub fn next_epoch(&self, now_ms: u64) -> u64 {
        now_ms.max(self.last_epoch.map_or(0, |last| last + 1))
    }

    /// Whether cache keys in which the lookup key begins at `prefix_len` have no epoch: it makes what stands before
    /// longer, and is all that ever comes into it.
    pub fn is_acl_prefix(&self, prefix_len: usize) -> bool {
        prefix_len == self.acl_prefix.len()
    }

    /// The lookup key within `cache_key`, if that is one of this table's epoch.
    pub fn lookup_key_in<'k>(&self, cache_key: &'k [u8]) -> Option<&'k [u8]> {
        let plain = cache_key.strip_prefix(&*self.prefix);
        plain.or_else(|| self.non_unique.owns(cache_key).then(|| cache_key.get(self.non_unique.prefix_len()..))?)
    }

    /// How rows are looked up by the columns of `key`. `PGNOCOLUMN` when one of them does not exist.
    pub fn lookup(&self, key: &LookupKey<'_>) -> Result<Rc<Lookup>, Error> {
        if let Some(known) = self.lookups.borrow().iter().find(|lookup| lookup.is_for(key)) {
            return Ok(Rc::clone(known));
        }
        let lookup = Rc::new(Lookup::new(&self.definition, key)?);
        let mut lookups = self.lookups.borrow_mut();
        if lookups.len() >= MAX_LOOKUPS {
            lookups.clear();
        }
        lookups.push(Rc::clone(&lookup));
        Ok(lookup)
    }
}

/// Every table that was resolved.
#[derive(Debug, Default)]
pub struct Tables {
    by_name: foldhash::HashMap<Box<[u8]>, Rc<Table>>,
    by_oid: HashMap<(SourceIndex, u32), Rc<Table>>,
    by_id: foldhash::HashMap<u64, Rc<Table>>,
    /// The tables that a relation's changes concern.
    concerned: HashMap<(SourceIndex, u32), Vec<u64>>,
    next: u64,
}

/// What a [`Table`] is made of, as far as the memo does not know it.
#[derive(Debug)]
pub struct Resolved<'a> {
    /// Where it is.
    pub source: SourceIndex,
    /// Prefix of the name for a source that is not the default: `analytics:`.
    pub source_prefix: &'a str,
    /// `cache_prefix`.
    pub cache_prefix: &'a str,
    /// What the catalog says.
    pub definition: Arc<TableDefinition>,
    /// Its epoch; `None` until it first changes.
    pub epoch: Option<u64>,
    /// The number of the last mass drop that this epoch is later than.
    pub drop: u64,
    /// Its changes so far.
    pub changes: Rc<Changes>,
    /// When it comes into the memo.
    pub now: Now,
}

/// A moment on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// In milliseconds on the clock that only goes forward.
    pub monotonic_ms: u64,
    /// In milliseconds since 1970.
    pub unix_ms: u64,
}

impl Now {
    /// That of `store`.
    pub fn of(store: impl Store) -> Self {
        Self { monotonic_ms: store.monotonic_ms(), unix_ms: store.unix_ms() }
    }
}

impl Tables {
    /// The table that a client's spelling was resolved to.
    pub fn find(&self, name: &[u8]) -> Option<Rc<Table>> {
        self.by_name.get(name).cloned()
    }

    /// Remembers that `name` means `table`.
    pub fn remember(&mut self, name: &[u8], table: &Rc<Table>) {
        if self.by_name.len() >= MAX_NAMES {
            self.by_name.clear();
        }
        self.by_name.insert(name.into(), Rc::clone(table));
    }

    /// The table of that relation, or, when it was dropped and created again, of the one that had its name.
    pub fn known(&self, source: SourceIndex, definition: &TableDefinition) -> Option<Rc<Table>> {
        let has_its_name =
            |table: &&Rc<Table>| table.source == source && table.definition.display == definition.display;
        self.by_oid(source, definition.oid).or_else(|| self.by_oid.values().find(has_its_name).cloned())
    }

    /// Adds a table that is not known.
    pub fn add(&mut self, resolved: Resolved<'_>) -> Rc<Table> {
        self.next += 1;
        let table = Rc::new(table(self.next, resolved, 0));
        self.enter(&table);
        table
    }

    /// Puts a new definition or epoch in the place of `old`, under every name it has.
    pub fn replace(&mut self, old: &Rc<Table>, resolved: Resolved<'_>) -> Rc<Table> {
        self.remove(old);
        let mut new = table(old.id, resolved, old.non_unique.epoch());
        new.last_epoch = new.epoch.max(old.last_epoch);
        let new = Rc::new(new);
        new.asked.set(old.asked.get());
        self.enter(&new);
        for known in self.by_name.values_mut().filter(|known| known.id == old.id) {
            *known = Rc::clone(&new);
        }
        new
    }

    /// The relation is gone.
    pub fn forget(&mut self, source: SourceIndex, oid: u32) -> Option<Rc<Table>> {
        let gone = self.by_oid(source, oid)?;
        self.remove(&gone);
        self.forget_names(gone.id);
        Some(gone)
    }

    /// Whatever clients call the table with that number is to be resolved anew.
    pub fn forget_names(&mut self, id: u64) {
        self.by_name.retain(|_, table| table.id != id);
    }

    fn enter(&mut self, table: &Rc<Table>) {
        self.by_oid.insert((table.source, table.definition.oid), Rc::clone(table));
        self.by_id.insert(table.id, Rc::clone(table));
        for oid in &table.definition.concerns {
            self.concerned.entry((table.source, *oid)).or_default().push(table.id);
        }
    }

    fn remove(&mut self, table: &Table) {
        self.by_oid.remove(&(table.source, table.definition.oid));
        self.by_id.remove(&table.id);
        for oid in &table.definition.concerns {
            if let Some(ids) = self.concerned.get_mut(&(table.source, *oid)) {
                ids.retain(|id| *id != table.id);
                if ids.is_empty() {
                    self.concerned.remove(&(table.source, *oid));
                }
            }
        }
    }

    /// The table of that relation.
    pub fn by_oid(&self, source: SourceIndex, oid: u32) -> Option<Rc<Table>> {
        self.by_oid.get(&(source, oid)).cloned()
    }

    /// The table with that number.
    pub fn by_id(&self, id: u64) -> Option<Rc<Table>> {
        self.by_id.get(&id).cloned()
    }

    /// The tables whose rows a change of that relation may change.
    pub fn concerned_by(&self, source: SourceIndex, relation: &Relation) -> Vec<Rc<Table>> {
        match relation {
            Relation::Oid(oid) => {
                let ids = self.concerned.get(&(source, *oid)).map_or(&[][..], Vec::as_slice);
                ids.iter().filter_map(|id| self.by_id(*id)).collect()
            }
            Relation::Name(name) => self.called(source, name),
        }
    }

    /// The tables of that name in any schema, and what their changes concern.
    fn called(&self, source: SourceIndex, name: &str) -> Vec<Rc<Table>> {
        let named: Vec<u32> = self
            .of_source(source)
            .filter(|table| table.definition.relation == name)
            .map(|table| table.definition.oid)
            .collect();
        self.of_source(source)
            .filter(|table| named.iter().any(|oid| table.definition.concerns.contains(oid)))
            .cloned()
            .collect()
    }

    /// Every table of a source.
    pub fn of_source(&self, source: SourceIndex) -> impl Iterator<Item = &Rc<Table>> {
        self.by_id.values().filter(move |table| table.source == source)
    }

    /// Every table, once.
    pub fn all(&self) -> Vec<Rc<Table>> {
        self.by_id.values().cloned().collect()
    }

    /// How many tables are known.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

fn table(id: u64, resolved: Resolved<'_>, last_loose: u64) -> Table {
    let Resolved { source, source_prefix, cache_prefix, definition, epoch, drop, changes, now } = resolved;
    let name = format!("{source_prefix}{}", definition.display);
    let stem = format!("{cache_prefix}{name}");
    let acl_prefix: Rc<[u8]> = Rc::from(format!("{stem}:").into_bytes());
    let prefix = match epoch {
        Some(epoch) => Rc::from(format!("{stem}@{epoch}:").into_bytes()),
        None => Rc::clone(&acl_prefix),
    };
    Table {
        id,
        source,
        definition,
        name: name.into(),
        epoch,
        last_epoch: epoch,
        prefix,
        acl_prefix,
        non_unique: NonUnique::new(&stem, last_loose.max(epoch.unwrap_or_default()), now.unix_ms),
        changes,
        drop,
        described_ms: Cell::new(now.monotonic_ms),
        asked: Cell::new(beginning()),
        lookups: RefCell::default(),
    }
}
