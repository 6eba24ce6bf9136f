//! Tags: names that queries carry, so that all of them can be dropped by one.

use std::collections::HashMap;

use foldhash::quality::RandomState;

use super::change::ChangeClock;
use super::error::Error;

/// The longest tag, in bytes.
const MAX_BYTES: usize = 512;

/// Most tags of one query.
pub const MAX_TAGS: usize = 1024;

/// Tags that are remembered before all of them are dropped and forgotten at once: clients choose them.
const MAX_KNOWN: usize = 100_000;

/// When each tag was dropped last, as the number of that change.
#[derive(Debug, Default)]
pub struct Tags {
    dropped: HashMap<Box<str>, u64, RandomState>,
    /// When all of them were.
    all_dropped: u64,
}

impl Tags {
    /// The last change of `tag`, which a query carries. It is known from now on.
    pub fn carried(&mut self, tag: &str, clock: &ChangeClock) -> u64 {
        if let Some(dropped) = self.dropped.get(tag) {
            return *dropped;
        }
        if self.dropped.len() >= MAX_KNOWN {
            self.dropped.clear();
            self.all_dropped = clock.next();
        }
        self.dropped.insert(tag.into(), self.all_dropped);
        self.all_dropped
    }

    /// Drops everything that carries `tag`. Returns whether anything may have.
    pub fn drop_tag(&mut self, tag: &str, clock: &ChangeClock) -> bool {
        let known = self.dropped.get_mut(tag);
        known.map(|dropped| *dropped = clock.next()).is_some()
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.dropped.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.dropped.is_empty()
    }
}

/// Reads one tag: UTF-8 of 1 to 512 bytes without control characters.
pub fn parse(bytes: &[u8]) -> Result<&str, Error> {
    let tag = std::str::from_utf8(bytes).ok();
    tag.filter(|tag| (1..=MAX_BYTES).contains(&tag.len()) && !tag.contains(char::is_control)).ok_or_else(
        || Error::malformed(format!("a tag is UTF-8 of 1 to {MAX_BYTES} bytes without control characters")),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_dropped_after_what_carried_it_began() {
        let (mut tags, clock) = (Tags::default(), ChangeClock::default());
        let began = clock.next();
        assert!(tags.carried("a", &clock) <= began && tags.carried("b", &clock) <= began);
        assert!(tags.drop_tag("a", &clock));
        assert!(tags.carried("a", &clock) > began && tags.carried("b", &clock) <= began);
    }

    #[test]
    fn what_nobody_carries_is_not_dropped() {
        let (mut tags, clock) = (Tags::default(), ChangeClock::default());
        assert!(!tags.drop_tag("a", &clock));
        assert_eq!(clock.now(), 0);
    }

    #[test]
    fn too_many_tags_are_dropped_and_forgotten() {
        let (mut tags, clock) = (Tags::default(), ChangeClock::default());
        let began = clock.next();
        tags.carried("first", &clock);
        for n in 0..MAX_KNOWN {
            tags.carried(&n.to_string(), &clock);
        }
        assert!(tags.len() < 10);
        assert!(tags.carried("first", &clock) > began);
    }

    #[test]
    fn a_tag_has_a_name_that_can_be_shown() {
        assert_eq!(parse("straße:42".as_bytes()).unwrap(), "straße:42");
        for bad in [&b""[..], b"\xff", b"a\nb", &[b'a'; MAX_BYTES + 1]] {
            assert!(parse(bad).is_err());
        }
    }
}
