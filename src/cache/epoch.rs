//! The epoch in a cache key: `users@1790000000000:{"id":1}`.

/// The part of a cache key before its lookup key, without `cache_prefix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stem<'a> {
    /// The table, as it stands in cache keys.
    pub name: &'a str,
    /// Its epoch.
    pub epoch: Option<u64>,
}

impl<'a> Stem<'a> {
    /// Reads what stands after `cache_prefix` in a cache key. `None` for a key that is no entry's.
    pub fn of(key: &'a str) -> Option<Self> {
        key.split_once(":{").map(|(stem, _)| Self::parse(stem))
    }

    /// Reads that part alone.
    pub fn parse(stem: &'a str) -> Self {
        match stem.rsplit_once('@') {
            Some((name, digits)) if is_number(digits) => Self { name, epoch: digits.parse().ok() },
            _ => Self { name: stem, epoch: None },
        }
    }
}

/// A name that ends in `@5` would be quoted, and end in a quote.
fn is_number(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generation_stands_between_the_table_and_the_lookup_key() {
        assert_eq!(Stem::of("users:{\"id\":1}"), Some(Stem { name: "users", epoch: None }));
        assert_eq!(Stem::of("a:users@17:{\"id\":1}"), Some(Stem { name: "a:users", epoch: Some(17) }));
        assert_eq!(Stem::of("\"users@17\":{\"id\":1}"), Some(Stem { name: "\"users@17\"", epoch: None }));
        assert_eq!(Stem::of("users@17:{\"a\":\"x@5:{\"}"), Some(Stem { name: "users", epoch: Some(17) }));
        assert_eq!(Stem::of("@epoch:users"), None);
    }
}
