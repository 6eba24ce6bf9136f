//! Tags: names that queries carry, so that all of them can be dropped by one.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::change::ChangeClock;
use super::error::Error;

/// The longest tag, in bytes.
const MAX_BYTES: usize = 512;

/// Most tags of one query.
pub const MAX_TAGS: usize = 64;

/// Tags that are remembered by name: clients choose them.
const MAX_KNOWN: usize = 100_000;

/// How many places all further tags share.
const SHARED: usize = 1 << 16;

/// When each tag was dropped last, as the number of that change.
///
/// Once enough tags are known by name, those that come later share places: whoever drops one of them drops those of its
/// place too. So memory is bounded, and carrying a tag never drops what others carry.
#[derive(Debug, Default)]
pub struct Tags {
    dropped: HashMap<Box<str>, u64, RandomState>,
    /// The last drop in each shared place; empty until one is needed.
    shared: Vec<u64>,
}

impl Tags {
    /// The last change of `tag`, which a query carries. It is known from now on.
    pub fn carried(&mut self, tag: &str) -> u64 {
        if let Some(dropped) = self.dropped.get(tag) {
            return *dropped;
        }
        if self.dropped.len() >= MAX_KNOWN {
            return *self.shared_place(tag);
        }
        self.dropped.insert(tag.into(), 0);
        0
    }

    /// Drops everything that carries `tag`. Returns whether anything may have.
    pub fn drop_tag(&mut self, tag: &str, clock: &ChangeClock) -> bool {
        if let Some(dropped) = self.dropped.get_mut(tag) {
            *dropped = clock.next();
            return true;
        }
        let may_be_carried = !self.shared.is_empty();
        if may_be_carried {
            *self.shared_place(tag) = clock.next();
        }
        may_be_carried
    }

    /// The place of a tag that is not known by name. The hash has a random seed, so nobody can choose whom to share with.
    fn shared_place(&mut self, tag: &str) -> &mut u64 {
        self.shared.resize(SHARED, 0);
        let place = self.dropped.hasher().hash_one(tag) as usize % SHARED;
        &mut self.shared[place]
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
    tag.filter(|tag| (1..=MAX_BYTES).contains(&tag.len()) && !tag.contains(char::is_control))
        .ok_or_else(|| Error::malformed(format!("a tag is UTF-8 of 1 to {MAX_BYTES} bytes without control characters")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_dropped_after_what_carried_it_began() {
        let (mut tags, clock) = (Tags::default(), ChangeClock::default());
        let began = clock.next();
        assert!(tags.carried("a") <= began && tags.carried("b") <= began);
        assert!(tags.drop_tag("a", &clock));
        assert!(tags.carried("a") > began && tags.carried("b") <= began);
    }

    #[test]
    fn what_nobody_carries_is_not_dropped() {
        let (mut tags, clock) = (Tags::default(), ChangeClock::default());
        assert!(!tags.drop_tag("a", &clock));
        assert_eq!(clock.now(), 0);
    }

    #[test]
    fn tags_beyond_the_limit_drop_nothing_and_can_be_dropped() {
        let (mut tags, clock) = (Tags::default(), ChangeClock::default());
        tags.carried("first");
        for n in 0..2 * MAX_KNOWN {
            tags.carried(&n.to_string());
        }
        assert_eq!((clock.now(), tags.len(), tags.shared.len()), (0, MAX_KNOWN, SHARED));
        let began = clock.next();
        assert!(tags.drop_tag("later", &clock) && tags.carried("later") > began);
        assert!(tags.carried("first") <= began);
    }

    #[test]
    fn a_tag_has_a_name_that_can_be_shown() {
        assert_eq!(parse("straße:42".as_bytes()).unwrap(), "straße:42");
        for bad in [&b""[..], b"\xff", b"a\nb", &[b'a'; MAX_BYTES + 1]] {
            assert!(parse(bad).is_err());
        }
    }
}
