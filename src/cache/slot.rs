//! Slots: which part of a cluster's keyspace a key belongs to.
//!
//! The rule is the cluster's own: CRC16 of the hash tag, the bytes between the first `{` and the next `}`, or of the whole key where
//! there is no such tag or it is empty, modulo 16,384.

use std::collections::HashMap;
use std::sync::OnceLock;

use crc::{Crc, CRC_16_XMODEM};

/// How many slots there are.
pub const SLOTS: u16 = 16_384;

const CRC16: Crc<u16> = Crc::<u16>::new(&CRC_16_XMODEM);

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot(pub u16);

impl Slot {
    /// That of `key`.
    pub fn of(key: &[u8]) -> Self {
        Self(CRC16.checksum(hash_tag(key)) % SLOTS)
    }

    /// A tag, in its braces, that puts a key into this slot.
    pub fn tag(self) -> &'static str {
        static TAGS: OnceLock<Vec<Box<str>>> = OnceLock::new();
        TAGS.get_or_init(tags).get(usize::from(self.0)).map_or("", |tag| tag)
    }
}

/// The part of `key` that says which slot it belongs to.
pub fn hash_tag(key: &[u8]) -> &[u8] {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = key.get(open + 1..)?;
        let len = rest.iter().position(|byte| *byte == b'}')?;
        rest.get(..len)
    });
    tag.filter(|tag| !tag.is_empty()).unwrap_or(key)
}

/// The shortest tag for each slot, in its braces: numbers are tried until every slot has one.
fn tags() -> Vec<Box<str>> {
    let mut found: HashMap<u16, Box<str>> = HashMap::with_capacity(SLOTS.into());
    for number in 0u32.. {
        let tag = format!("{{{number:x}}}");
        found.entry(Slot::of(tag.as_bytes()).0).or_insert_with(|| tag.into());
        if found.len() == usize::from(SLOTS) {
            break;
        }
    }
    (0..SLOTS).filter_map(|slot| found.remove(&slot)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_has_the_slot_that_the_cluster_gives_it() {
        // From the cluster's specification, and from CLUSTER KEYSLOT.
        assert_eq!(Slot::of(b"123456789").0, 0x31c3);
        assert_eq!(Slot::of(b"foo").0, 12182);
        assert_eq!(Slot::of(b"{foo}.bar"), Slot::of(b"foo"));
    }

    #[test]
    fn the_tag_is_what_stands_between_the_first_braces() {
        for (key, tag) in [
            ("{user1000}.following", "user1000"),
            ("foo{}{bar}", "foo{}{bar}"),
            ("foo{{bar}}zap", "{bar"),
            ("foo{bar}{zap}", "bar"),
            ("foo}b{ar", "foo}b{ar"),
            ("", ""),
        ] {
            assert_eq!(hash_tag(key.as_bytes()), tag.as_bytes(), "{key}");
        }
    }

    #[test]
    fn a_lookup_key_is_in_the_slot_of_its_cache_key() {
        for lookup_key in [r#"{"id":1}"#, r#"{"a":{"b":1},"c":2}"#, r#"{"a":"}{"}"#] {
            let cache_key = format!("pg_cache:users@17:{lookup_key}");
            assert_eq!(Slot::of(lookup_key.as_bytes()), Slot::of(cache_key.as_bytes()));
        }
    }

    #[test]
    fn every_slot_has_a_tag() {
        for slot in (0..SLOTS).map(Slot) {
            assert!(slot.tag().starts_with('{') && slot.tag().ends_with('}') && slot.tag().len() <= 8);
            assert_eq!(Slot::of(format!("a:{}b", slot.tag()).as_bytes()), slot);
        }
    }

    proptest! {
        #[test]
        fn what_stands_around_a_tag_does_not_matter(before in "[^{}]*", tag in "[^{}]+", after: Vec<u8>) {
            let key = [before.as_bytes(), b"{", tag.as_bytes(), b"}", &after].concat();
            prop_assert_eq!(Slot::of(&key), Slot::of(tag.as_bytes()));
        }
    }
}
