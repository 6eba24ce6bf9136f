//! What INSPECT tells of a query.

use crate::cache::{Reply, Stored, Value};
use crate::engine::host::Host;
use crate::engine::loads::entries::Found;
use crate::engine::{Engine, Store, StoreKey};

use super::{Query, Request};

impl<H: Host> Engine<H> {
    /// Describes what the cache holds under `key`, and what drops it.
    pub(super) fn inspect_query<S: Store>(
        &mut self,
        store: S,
        request: &Request,
        query: &Query,
        key: &S::Key,
    ) -> Reply {
        // What is out of date is as good as gone.
        let found = self.with_rows(store, query, &request.tags, key, |_| ());
        let (bytes, left_ms) = store.read_with_ttl(key, |stored| match stored {
            Stored::Bytes(bytes) => bytes.len(),
            Stored::Nothing | Stored::OtherType => 0,
        });
        let bytes = matches!(found, Found::Row(())).then_some(bytes);
        let may_serve = self.may_rely_on_query(store, query);
        let waiters = self.loads.flights.waiters_of(key.as_bytes());
        let untracked = query.untracked(&self.catalog.tables);
        let mut tables: Vec<String> =
            query.tables(&self.catalog.tables).iter().map(|table| table.name.to_string()).collect();
        tables.sort_unstable();
        let number = |number: usize| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        let texts = |texts: Vec<String>| Value::List(texts.into_iter().map(Value::Text).collect());
        Reply::Value(Value::map(vec![
            ("key", Value::Text(String::from_utf8_lossy(key.as_bytes()).into_owned())),
            ("cached", if store.reaches(key.as_bytes()) { Value::Bool(bytes.is_some()) } else { Value::Nil }),
            ("ttl_ms", left_ms.filter(|_| bytes.is_some()).map_or(Value::Nil, Value::from)),
            ("bytes", number(bytes.unwrap_or_default())),
            ("stale", Value::Bool(bytes.is_some() && !may_serve)),
            ("in_flight", Value::Bool(waiters.is_some())),
            ("waiters", number(waiters.unwrap_or_default())),
            ("source", Value::from(self.sources.name(query.source))),
            ("sql", Value::from(query.sql())),
            ("tracked", Value::Bool(untracked.is_empty())),
            ("untracked", texts(untracked)),
            ("tables", texts(tables)),
        ]))
    }
}
