//! Results that nobody finds any more: the sweep removes them.

use serde_json::value::RawValue;

use crate::cache::{result_set, Stored};
use crate::engine::host::Host;
use crate::engine::{Engine, Store, StoreKey};

use super::request::{FREE, NAMED};

/// The parts of a result's cache key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ResultKey<'k> {
    /// `analytics:`, or nothing for the first source.
    pub source_prefix: &'k str,
    /// The query's name, or the digest of its statement.
    pub name: &'k str,
    /// What all cache keys of the query start with.
    pub stem: &'k str,
    /// Its tags, as they stand there.
    pub tags: Vec<Box<str>>,
}

impl<'k> ResultKey<'k> {
    /// Reads `key`; `None`: it is no result's.
    pub fn of(key: &'k str, cache_prefix: &str) -> Option<Self> {
        let rest = key.strip_prefix(cache_prefix)?;
        // No table's name looks like it, because SQL would quote it.
        let (source_prefix, named) = split_at_kind(rest, NAMED).or_else(|| split_at_kind(rest, FREE))?;
        let (name, values) = named.split_once(':')?;
        // In a cluster a tag says which slot it belongs to.
        let (tag_len, values) = match values.split_once('}') {
            Some((tag, params)) if values.starts_with('{') => (tag.len() + 1, params),
            _ => (0, values),
        };
        let mut values = serde_json::Deserializer::from_str(values).into_iter::<&RawValue>();
        values.next()?.ok()?;
        let after = key.len() - named.len() + name.len() + 1 + tag_len + values.byte_offset();
        let tags = match key.get(after..)?.strip_prefix(':') {
            Some(tags) => serde_json::from_str(tags).ok()?,
            None => vec![],
        };
        Some(Self { source_prefix, name, stem: key.get(..key.len() - named.len() + name.len() + 1)?, tags })
    }
}

fn split_at_kind<'k>(rest: &'k str, kind: &str) -> Option<(&'k str, &'k str)> {
    if let Some(named) = rest.strip_prefix(kind) {
        return Some(("", named));
    }
    let colon = rest.find(':')?;
    let (source_prefix, rest) = rest.split_at(colon + 1);
    Some((source_prefix, rest.strip_prefix(kind)?))
}

/// Whether `key` is a result's.
pub fn is_result_key(key: &str, cache_prefix: &str) -> bool {
    let rest = key.strip_prefix(cache_prefix);
    rest.is_some_and(|rest| split_at_kind(rest, NAMED).or_else(|| split_at_kind(rest, FREE)).is_some())
}

impl<H: Host> Engine<H> {
    /// Whether the result under `key` will not be served again, whatever happens.
    pub fn is_outdated_result<S: Store>(&mut self, store: S, key: &S::Key) -> bool {
        let stamp = store.read(key, |stored| match stored {
            Stored::Bytes(entry) => result_set::read(entry).map(|(stamp, _)| stamp),
            Stored::Nothing | Stored::OtherType => None,
        });
        let prefix = self.settings.get().cache_prefix.clone();
        let parts = std::str::from_utf8(key.as_bytes()).ok().and_then(|key| ResultKey::of(key, &prefix));
        let (Some(stamp), Some(parts)) = (stamp, parts) else { return false };
        let known = self.queries.known.get(parts.stem).cloned();
        // What is not known will be described anew, and later than this.
        known.is_none_or(|query| !self.queries.is_fresh(stamp, &query, &parts.tags))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parts(key: &str) -> (&str, &str, &str, Vec<Box<str>>) {
        let parts = ResultKey::of(key, "p:").unwrap();
        (parts.source_prefix, parts.name, parts.stem, parts.tags)
    }

    #[test]
    fn a_key_is_taken_apart() {
        assert_eq!(parts("p:@query:top:[]"), ("", "top", "p:@query:top:", vec![]));
        assert_eq!(parts("p:@query:top:{1f}[1]:[\"a\"]"), ("", "top", "p:@query:top:", vec!["a".into()]));
        assert_eq!(
            parts(r#"p:b:@sql:0a:["x:[",1]:["red","a:b"]"#),
            ("b:", "0a", "p:b:@sql:0a:", vec!["red".into(), "a:b".into()])
        );
    }

    #[test]
    fn other_keys_are_left_alone() {
        for key in
            ["p:users:{\"id\":1}", "p:@epoch:users", "p:@queries", "@query:top:[]", "p:@query:top", "p:@query:top:x"]
        {
            assert_eq!(ResultKey::of(key, "p:"), None, "{key}");
        }
        assert!(is_result_key("p:b:@query:top:[]", "p:") && !is_result_key("p:b:c:@query:top:[]", "p:"));
    }
}
