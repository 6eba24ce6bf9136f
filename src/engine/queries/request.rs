//! Requests: what a client asks, brought together with what was defined.

use std::rc::Rc;

use crate::cache::canonical::{write_hex, write_string};
use crate::cache::slot::Slot;
use crate::cache::{Error, ErrorKind, Lsn, Ttl};
use crate::engine::host::Host;
use crate::engine::{Engine, Store};
use crate::settings::QueryPolicy;
use crate::workers::SourceIndex;

pub(super) use crate::cache::named_query::{FREE, NAMED};

/// What a client has sent.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which query.
    pub what: What,
    /// Its parameters, as they stand in cache keys.
    pub params: String,
    /// How long the entry lives.
    pub ttl: Option<Ttl>,
    /// What it carries.
    pub tags: Vec<String>,
    /// Where it is run.
    pub source: Option<String>,
    /// The position in the write-ahead log that the result must reach.
    pub min_lsn: Option<Lsn>,
    /// Which argument a cluster routes it by, where that is not the one of the command under way.
    pub routed_by: Option<Vec<u8>>,
}

impl Asked {
    /// The cache key that it would have, were there a query and a source of these names.
    pub fn key_by_name(&self, cache_prefix: &str) -> String {
        let source_prefix = self.source.as_ref().map(|name| format!("{name}:")).unwrap_or_default();
        let stem = match &self.what {
            What::Sql(sql) => stem(cache_prefix, &source_prefix, FREE, &digest(sql)),
            What::Name(name) => stem(cache_prefix, &source_prefix, NAMED, name),
        };
        stem + &self.params
    }
}

/// Which query is asked.
#[derive(Debug, Clone)]
pub enum What {
    /// This one.
    Sql(String),
    /// The one that was defined under this name.
    Name(String),
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where.
    pub source: SourceIndex,
    /// The statement.
    pub sql: Rc<str>,
    /// What errors call it.
    pub title: String,
    /// What events call it: its name, or the digest of its statement.
    pub name: Rc<str>,
    /// The parameters.
    pub params: Rc<str>,
    /// How long the entry lives, in seconds; 0: it does not expire.
    pub ttl_s: u32,
    /// What it carries, sorted.
    pub tags: Rc<[Box<str>]>,
    /// What all cache keys of the query start with.
    pub stem: Rc<str>,
    /// What puts the entry into a slot of this node's; empty outside of a cluster.
    pub slot_tag: &'static str,
    /// The position in the write-ahead log that the result must reach.
    pub min_lsn: Option<Lsn>,
}

impl Request {
    /// The cache key of the entry. Tags belong to it: the same query with others has another entry.
    pub fn cache_key(&self) -> Vec<u8> {
        self.key_with(self.slot_tag)
    }

    /// What the ACL is asked about: the cache key, whichever node the entry is on.
    pub fn acl_key(&self) -> Vec<u8> {
        self.key_with("")
    }

    /// How much of the cache key stands before the parameters.
    pub fn prefix_len(&self) -> usize {
        self.stem.len() + self.slot_tag.len()
    }

    fn key_with(&self, slot_tag: &str) -> Vec<u8> {
        let mut key = Vec::with_capacity(self.prefix_len() + self.params.len());
        key.extend_from_slice(self.stem.as_bytes());
        key.extend_from_slice(slot_tag.as_bytes());
        key.extend_from_slice(self.params.as_bytes());
        for (index, tag) in self.tags.iter().enumerate() {
            key.extend_from_slice(if index == 0 { b":[" } else { b"," });
            write_string(tag, &mut key);
        }
        if !self.tags.is_empty() {
            key.push(b']');
        }
        key
    }
}

impl<H: Host> Engine<H> {
    /// What `asked` means. `NOPERM` where the setting `query` forbids it, `ERR` for a name that was not defined.
    pub fn request(&mut self, store: impl Store, asked: &Asked) -> Result<Request, Error> {
        let slot_tag = match &asked.routed_by {
            Some(word) if store.is_node() => Slot::of(word).tag(),
            _ => self.tag_here(store),
        };
        let settings = self.settings.get();
        self.may_query(&asked.what)?;
        let source = asked.source.as_deref().map_or(Ok(0), |name| self.sources.named(name))?;
        let (cache_prefix, source_prefix) = (&settings.cache_prefix, self.sources.prefix(source));
        let mut tags = asked.tags.clone();
        let mut ttl = asked.ttl;
        let (sql, title, name, stem) = match &asked.what {
            What::Sql(sql) => {
                let name = digest(sql);
                let stem = stem(cache_prefix, source_prefix, FREE, &name);
                (Rc::from(sql.as_str()), "the query".to_owned(), name, stem)
            }
            What::Name(name) => {
                let named = self.queries.named.find(name).ok_or_else(no_such_query)?;
                tags.extend_from_slice(&named.tags);
                ttl = ttl.or(named.ttl);
                let stem = stem(cache_prefix, source_prefix, NAMED, name);
                (Rc::from(named.sql.as_str()), format!("query {name}"), name.clone(), stem)
            }
        };
        tags.sort_unstable();
        tags.dedup();
        Ok(Request {
            source,
            sql,
            title,
            name: name.into(),
            params: asked.params.as_str().into(),
            ttl_s: self.ttl_s(ttl),
            tags: tags.into_iter().map(String::into_boxed_str).collect(),
            stem: stem.into(),
            slot_tag,
            min_lsn: asked.min_lsn,
        })
    }

    fn may_query(&self, what: &What) -> Result<(), Error> {
        let denied = |text: &str| Err(Error::new(ErrorKind::Denied, text));
        match (self.settings.get().query, what) {
            (QueryPolicy::Any, _) | (QueryPolicy::Named, What::Name(_)) => Ok(()),
            (QueryPolicy::Named, What::Sql(_)) => {
                denied("only defined queries may be asked: see PGCACHE.DEFINE, or start with query any")
            }
            (QueryPolicy::Off, _) => denied("queries are switched off: see the setting query"),
        }
    }
}

/// What all cache keys of a query start with. `kind` is [`NAMED`] or [`FREE`].
pub(super) fn stem(cache_prefix: &str, source_prefix: &str, kind: &str, name: &str) -> String {
    format!("{cache_prefix}{source_prefix}{kind}{name}:")
}

/// `ERR`: no query has that name.
pub(super) fn no_such_query() -> Error {
    Error::malformed("there is no query of that name: see PGCACHE.DEFINE LIST")
}

/// The SHA-256 of a statement: clients choose statements, and no two of them may share entries.
fn digest(sql: &str) -> String {
    let digest = <sha2::Sha256 as sha2::Digest>::digest(sql.as_bytes());
    let mut hex = Vec::with_capacity(64);
    write_hex(&digest, &mut hex);
    hex.into_iter().map(char::from).collect()
}
