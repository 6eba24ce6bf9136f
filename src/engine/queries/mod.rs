//! Queries at work: what was asked, what it reads, and what drops its entries.
//!
//! An entry carries the number of the last change before it was asked for. It may be served for as long as nothing that it hangs on
//! (a table that it reads, a tag that it carries) has changed later; so each of these is dropped by one number.

mod ask;
mod completion;
mod definitions;
mod describe;
mod inspect;
mod query;
mod request;
mod sweep;
mod tags;

use std::collections::HashMap;
use std::rc::Rc;

use foldhash::quality::RandomState;

pub use ask::Wanted;
pub use query::Query;
pub use request::{Asked, Request, What};
pub use sweep::is_result_key;

use crate::cache::change::ChangeClock;
use crate::cache::named_query::NamedQueries;
use crate::cache::query_changes::QueryChanges;
use crate::cache::result_set::Stamp;
use crate::cache::tag::Tags;
use crate::workers::SourceIndex;

/// Queries that are remembered before the memo starts anew: clients may send any SQL.
const MAX_KNOWN: usize = 10_000;

/// And of how many bytes of SQL.
const MAX_KNOWN_BYTES: usize = 64 << 20;

/// Everything that is known of queries.
#[derive(Debug)]
pub struct Queries {
    /// Counts the changes of all tables and tags.
    pub clock: ChangeClock,
    /// Which tags there are.
    pub tags: Tags,
    /// Those that were defined.
    pub named: NamedQueries,
    /// Those of them that the record has.
    saved: NamedQueries,
    /// What has become of these since, as the record of that has it.
    changes: QueryChanges,
    /// What PostgreSQL has said of a query, by what its cache keys start with.
    known: HashMap<Rc<str>, Rc<Query>, RandomState>,
    /// How many bytes of SQL stand there.
    known_bytes: usize,
    /// Those that are under way, by number.
    loads: HashMap<u64, QueryLoad>,
    last_load: u64,
    /// The run of the cache that entries belong to: others are as good as gone.
    run: u64,
}

impl Default for Queries {
    fn default() -> Self {
        Self {
            clock: ChangeClock::default(),
            tags: Tags::default(),
            named: NamedQueries::default(),
            saved: NamedQueries::default(),
            changes: QueryChanges::default(),
            known: HashMap::default(),
            known_bytes: 0,
            loads: HashMap::new(),
            last_load: 0,
            run: fastrand::u64(..),
        }
    }
}

/// A query under way.
#[derive(Debug)]
pub struct QueryLoad {
    /// Which.
    pub query: Rc<Query>,
    pub(in crate::engine) tags: Rc<[Box<str>]>,
    /// When it was asked.
    stamp: Stamp,
    /// How many tables it was known to read by then.
    reads: usize,
}

impl Queries {
    /// Drops the entries of all queries: from now on they belong to an earlier run.
    pub fn start_run(&mut self) {
        self.run = fastrand::u64(..);
    }

    /// Each that is known.
    pub fn known(&self) -> impl Iterator<Item = &Rc<Query>> {
        self.known.values()
    }

    /// Forgets what was known of the query whose cache keys start with `stem`: the entries that there are of it are dropped.
    fn forget(&mut self, stem: &str) {
        if let Some(query) = self.known.remove(stem) {
            self.known_bytes -= query.sql().len();
        }
    }

    /// Forgets the queries of `source` that were described with another vocabulary than that with this number.
    pub fn forget_all_but(&mut self, source: SourceIndex, vocabulary: i64) {
        let is_other = |query: &&Rc<Query>| query.source == source && query.vocabulary() != vocabulary;
        let stems: Vec<_> = self.known().filter(is_other).map(|query| Rc::clone(&query.stem)).collect();
        for stem in stems {
            self.forget(&stem);
        }
    }

    fn remember(&mut self, query: &Rc<Query>) {
        self.forget(&query.stem);
        self.known_bytes += query.sql().len();
        if self.known.len() >= MAX_KNOWN || self.known_bytes > MAX_KNOWN_BYTES {
            self.known.clear();
            self.known_bytes = query.sql().len();
        }
        self.known.insert(Rc::clone(&query.stem), Rc::clone(query));
    }

    /// The last change of anything that an entry of `query` with `tags` hangs on.
    fn last_change(&mut self, query: &Query, tags: &[Box<str>]) -> u64 {
        let tags = tags.iter().map(|tag| self.tags.carried(tag)).max();
        query.last_change().max(tags.unwrap_or_default())
    }

    /// Whether an entry with `stamp` is what PostgreSQL says, as far as it has told.
    fn is_fresh(&mut self, stamp: Stamp, query: &Query, tags: &[Box<str>]) -> bool {
        stamp.run == self.run && stamp.began >= self.last_change(query, tags)
    }

    /// Takes out the load with that `number`.
    pub fn take_load(&mut self, number: u64) -> Option<QueryLoad> {
        self.loads.remove(&number)
    }

    /// Whether the load with that `number`, which is under way, may still answer whoever asks now.
    fn is_load_fresh(&mut self, number: u64, query: &Rc<Query>, tags: &[Box<str>]) -> bool {
        let Some(load) = self.loads.get(&number) else { return false };
        let (stamp, is_same) = (load.stamp, Rc::ptr_eq(&load.query, query));
        is_same && self.is_fresh(stamp, query, tags)
    }

    /// Enters a load that begins now, and returns its number.
    pub(in crate::engine) fn ask(&mut self, query: &Rc<Query>, tags: &Rc<[Box<str>]>) -> u64 {
        self.last_load += 1;
        // A tag that is dropped from now on is one that somebody carries.
        for tag in tags.iter() {
            self.tags.carried(tag);
        }
        let stamp = Stamp { run: self.run, began: self.clock.now() };
        let load = QueryLoad { query: Rc::clone(query), tags: Rc::clone(tags), stamp, reads: query.reads() };
        self.loads.insert(self.last_load, load);
        self.last_load
    }
}
