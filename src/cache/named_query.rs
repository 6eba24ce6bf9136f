//! Named queries: what somebody has defined for others to ask by its name, and the record of all of them.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{json, Value};

use super::error::Error;
use super::tag;
use super::ttl::Ttl;

/// What stands before the name of a defined query in a cache key: no relation's name looks like it, because SQL would
/// quote it.
pub const NAMED: &str = "@query:";

/// What stands there before the digest of other SQL.
pub const FREE: &str = "@sql:";

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 512;

/// The longest statement, in bytes.
const MAX_SQL_BYTES: usize = 1 << 20;

/// Words that `PGCACHE.DEFINE` and `PGCACHE.QUERY` have a meaning for.
const RESERVED: [&str; 4] = ["DEL", "LIST", "HELP", "NAME"];

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedQuery {
    /// Its name.
    pub name: String,
    /// Its statement.
    pub sql: String,
    /// How long its entries live, where the caller does not say; `None`: `default_ttl`.
    pub ttl: Option<Ttl>,
    /// Which tags its entries carry, beside those that the caller gives.
    pub tags: Vec<String>,
}

/// All of them, by name.
#[derive(Debug, Clone, Default)]
pub struct NamedQueries {
    by_name: BTreeMap<Box<str>, Rc<NamedQuery>>,
}

impl NamedQueries {
    /// The query called `name`.
    pub fn find(&self, name: &str) -> Option<&Rc<NamedQuery>> {
        self.by_name.get(name)
    }

    /// Defines a query, in the place of one that has its name.
    pub fn define(&mut self, query: NamedQuery) {
        self.by_name.insert(query.name.as_str().into(), Rc::new(query));
    }

    /// Removes a query. Returns whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.by_name.remove(name).is_some()
    }

    /// Each of them, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &NamedQuery> {
        self.by_name.values().map(|query| &**query)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Their record, a JSON list.
    pub fn write(&self) -> String {
        Value::Array(self.iter().map(described).collect()).to_string()
    }

    /// What a record says. An entry that cannot be read is left out; `None`: it is no record.
    pub fn read(record: &[u8]) -> Option<Self> {
        let entries: Vec<Value> = serde_json::from_slice(record).ok()?;
        let mut all = Self::default();
        entries.iter().filter_map(query).for_each(|query| all.define(query));
        Some(all)
    }
}

/// A query in a record.
pub(super) fn described(query: &NamedQuery) -> Value {
    json!({
        "name": query.name,
        "sql": query.sql,
        "ttl": query.ttl.map(Ttl::seconds),
        "tags": query.tags,
    })
}

/// What such an entry says, if it can be read.
pub(super) fn query(entry: &Value) -> Option<NamedQuery> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let tags = entry.get("tags")?.as_array()?.iter().map(|tag| {
        let tag = tag.as_str()?;
        tag::parse(tag.as_bytes()).ok().map(str::to_owned)
    });
    let ttl = entry.get("ttl").and_then(Value::as_u64);
    Some(NamedQuery {
        name: parse_name(text("name")?.as_bytes()).ok()?.to_owned(),
        sql: parse_sql(text("sql")?.as_bytes()).ok()?.to_owned(),
        ttl: ttl.and_then(|seconds| Ttl::from_seconds(seconds.try_into().ok()?)),
        tags: tags.collect::<Option<_>>()?,
    })
}

/// Reads a name: letters, digits, `_`, `-` and `.`, so that it can stand in a cache key and in an ACL pattern.
pub fn parse_name(bytes: &[u8]) -> Result<&str, Error> {
    let fits = |name: &&str| {
        (1..=MAX_NAME_BYTES).contains(&name.len())
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    let name = std::str::from_utf8(bytes).ok().filter(fits).ok_or_else(|| {
        Error::malformed(format!(
            "the name of a query has letters, digits, _, - and . only, at most {MAX_NAME_BYTES} bytes"
        ))
    })?;
    if RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name)) {
        return Err(Error::malformed(format!("a query cannot be called any of {}", RESERVED.join(", "))));
    }
    Ok(name)
}

/// Reads a statement: UTF-8 without NUL, not empty, of at most 1 MiB.
pub fn parse_sql(bytes: &[u8]) -> Result<&str, Error> {
    // Before the bytes are looked at: a hostile argument may have gigabytes.
    let text = Some(bytes).filter(|bytes| bytes.len() <= MAX_SQL_BYTES);
    let text = text.and_then(|bytes| std::str::from_utf8(bytes).ok()).filter(|text| !text.contains('\0'));
    text.filter(|text| !text.trim().is_empty()).ok_or_else(|| {
        Error::malformed(format!("a query is one SQL statement: UTF-8 without NUL, at most {MAX_SQL_BYTES} bytes"))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_brings_back_what_was_written(
            name in "[a-z0-9_.ü-]{5,20}", sql in "[^\\x00]*[a-z]", ttl in proptest::option::of(1u32..99), tag in "[a-z :]{1,9}",
        ) {
            let query = NamedQuery { name, sql, ttl: ttl.and_then(Ttl::from_seconds), tags: vec![tag] };
            let mut all = NamedQueries::default();
            all.define(query.clone());
            let read = NamedQueries::read(all.write().as_bytes()).unwrap();
            prop_assert_eq!(read.iter().cloned().collect::<Vec<_>>(), [query]);
        }

        #[test]
        fn no_record_is_too_strange_to_read(record: Vec<u8>) {
            let _ = NamedQueries::read(&record);
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let later =
            r#"[{"name":"a"},5,{"name":"b","sql":"SELECT 1","ttl":null,"tags":[]},{"name":"c:d","sql":"x","tags":[]}]"#;
        let read = NamedQueries::read(later.as_bytes()).unwrap();
        assert_eq!(read.iter().map(|query| query.name.as_str()).collect::<Vec<_>>(), ["b"]);
        assert!(NamedQueries::read(b"{}").is_none());
    }

    #[test]
    fn a_name_can_stand_in_a_cache_key() {
        for good in ["top", "top-10", "a.b_c", "größte"] {
            assert_eq!(parse_name(good.as_bytes()).unwrap(), good);
        }
        for bad in ["", "a b", "a:b", "a*", "{a}", "a[1]", "del", "LIST", "name", "a\n", "a/b"] {
            assert!(parse_name(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_statement_is_text() {
        assert_eq!(parse_sql(b" SELECT 1 ").unwrap(), " SELECT 1 ");
        for bad in [&b""[..], b"  \n", b"SELECT '\0'", b"\xff"] {
            assert!(parse_sql(bad).is_err());
        }
        assert!(parse_sql(&vec![b'x'; MAX_SQL_BYTES + 1]).is_err());
    }
}
