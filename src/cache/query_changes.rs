//! What has become of named queries since their record was written as a whole: so that to define one costs what one costs, however
//! many there are.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{json, Value};

use super::named_query::{self, NamedQueries, NamedQuery};
use super::seal::Digest;

/// Fewer queries than that are written as a whole each time.
const MANY: usize = 64;

/// What stands for a record of no queries.
const NONE: &str = "none";

/// The changes by name; `None`: it was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryChanges {
    /// The digest of the record that they follow, in words.
    base: String,
    by_name: BTreeMap<Box<str>, Option<Rc<NamedQuery>>>,
}

impl QueryChanges {
    /// No changes since the record with this digest.
    pub fn since(base: Option<Digest>) -> Self {
        Self { base: words(base), by_name: BTreeMap::new() }
    }

    /// Whether they follow that record.
    pub fn follow(&self, base: Option<Digest>) -> bool {
        self.base == words(base)
    }

    /// Whether one more is better written beside the record of `total` queries than with it: their number grows with the root of the
    /// total, so that both take little of the time.
    pub fn have_room(&self, total: usize) -> bool {
        total >= MANY && (self.by_name.len() + 1).pow(2) <= 2 * total
    }

    /// The query called `name` is this one now; `None`: it was removed.
    pub fn put(&mut self, name: &str, query: Option<Rc<NamedQuery>>) {
        self.by_name.insert(name.into(), query);
    }

    /// Makes `queries`, as the record has them, what they are now.
    pub fn apply(&self, queries: &mut NamedQueries) {
        for (name, query) in &self.by_name {
            match query {
                Some(query) => queries.define(NamedQuery::clone(query)),
                None => drop(queries.remove(name)),
            }
        }
    }

    /// Their record, a JSON object.
    pub fn write(&self) -> String {
        let changes = self.by_name.iter().map(|(name, query)| {
            query.as_ref().map_or_else(|| json!({ "removed": name }), |query| named_query::described(query))
        });
        json!({ "base": self.base, "changes": changes.collect::<Vec<_>>() }).to_string()
    }

    /// What a record says. An entry that cannot be read is left out; `None`: it is no record.
    pub fn read(record: &[u8]) -> Option<Self> {
        let record: Value = serde_json::from_slice(record).ok()?;
        let mut changes = Self { base: record.get("base")?.as_str()?.to_owned(), by_name: BTreeMap::new() };
        for entry in record.get("changes")?.as_array()? {
            if let Some(name) = entry.get("removed").and_then(Value::as_str) {
                changes.put(name, None);
            } else if let Some(query) = named_query::query(entry) {
                changes.put(&query.name.clone(), Some(Rc::new(query)));
            }
        }
        Some(changes)
    }
}

fn words(digest: Option<Digest>) -> String {
    digest.map_or_else(|| NONE.to_owned(), Digest::to_hex)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn query(name: &str, sql: &str) -> NamedQuery {
        NamedQuery { name: name.into(), sql: sql.into(), ttl: None, tags: vec![] }
    }

    proptest! {
        #[test]
        fn changes_that_were_written_and_read_do_what_the_commands_did(
            before in proptest::collection::vec("[a-c]", 0..4),
            commands in proptest::collection::vec(("[a-e]", proptest::option::of("[x-z]{1,3}")), 0..12),
        ) {
            let mut now = NamedQueries::default();
            before.iter().for_each(|name| now.define(query(name, "SELECT 0")));
            let base = Digest::of(now.write().as_bytes());
            let (mut read_again, mut changes) = (now.clone(), QueryChanges::since(Some(base)));
            for (name, sql) in &commands {
                match sql {
                    Some(sql) => now.define(query(name, sql)),
                    None => drop(now.remove(name)),
                }
                changes.put(name, now.find(name).cloned());
            }
            let read = QueryChanges::read(changes.write().as_bytes()).unwrap();
            prop_assert_eq!(&read, &changes);
            prop_assert!(read.follow(Some(base)) && !read.follow(None));
            read.apply(&mut read_again);
            prop_assert_eq!(read_again.write(), now.write());
        }

        #[test]
        fn no_record_is_too_strange_to_read(record: Vec<u8>) {
            let _ = QueryChanges::read(&record);
        }
    }

    #[test]
    fn few_queries_are_written_as_a_whole_and_many_now_and_then() {
        let mut changes = QueryChanges::since(None);
        assert!(!changes.have_room(MANY - 1));
        let mut count = 0;
        while changes.have_room(5_000) {
            changes.put(&format!("q{count}"), None);
            count += 1;
        }
        assert_eq!(count, 100);
        // The same again takes no more room, and counts no more.
        changes.put("q1", None);
        assert!(changes.have_room(5_101));
    }
}
