//! Seals: by what a record in the keyspace shows that this module wrote it, and not somebody with the right to its key.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};

/// How a sealed record begins: a JSON object whose first member is the seal.
const HEAD: &[u8] = br#"{"mac":""#;
/// What stands between the seal and the content.
const MIDDLE: &[u8] = br#"","list":"#;
/// How it ends.
const TAIL: &[u8] = b"}";
/// Hexadecimal digits of a digest.
const HEX_LEN: usize = 64;
/// Keeps these seals apart from whatever else the same key may be used for.
const DOMAIN: &[u8] = b"pgcache record 1";

/// The SHA-256 of a record's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// That of `content`.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// As 64 hexadecimal digits.
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }

    /// Reads what [`Digest::to_hex`] has written.
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        unhex(text).map(Self)
    }
}

/// A key that seals records and recognises its seals.
#[derive(Clone)]
pub struct SealKey(Hmac<Sha256>);

impl std::fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SealKey")
    }
}

impl SealKey {
    /// The key with these bytes, of any number.
    pub fn new(bytes: &[u8]) -> Self {
        let key = Hmac::new_from_slice(bytes);
        Self(key.unwrap_or_else(|_| unreachable!("HMAC takes keys of every length")))
    }

    /// The record called `name` (its whole key) with this content, which is JSON. Returns its text.
    pub fn seal(&self, name: &[u8], content: &str, digest: Digest) -> Vec<u8> {
        let mac = hex(&self.mac(name, digest).finalize().into_bytes().into());
        [HEAD, mac.as_bytes(), MIDDLE, content.as_bytes(), TAIL].concat()
    }

    /// Whether this key has sealed `record` under `name`.
    pub fn has_sealed(&self, name: &[u8], record: &Sealed<'_>) -> bool {
        self.mac(name, record.digest).verify_slice(&record.mac).is_ok()
    }

    /// The length of the name stands in front of it, so that no other name and content make the same text.
    fn mac(&self, name: &[u8], digest: Digest) -> Hmac<Sha256> {
        let mac = self.0.clone().chain_update(DOMAIN).chain_update((name.len() as u64).to_be_bytes());
        mac.chain_update(name).chain_update(digest.0)
    }
}

/// A record as it was found: whether its seal holds is to be asked.
#[derive(Debug)]
pub struct Sealed<'r> {
    mac: [u8; 32],
    /// What it says.
    pub content: &'r [u8],
    /// The digest of that.
    pub digest: Digest,
}

impl<'r> Sealed<'r> {
    /// Reads a record; `None`: it carries no seal.
    pub fn parse(record: &'r [u8]) -> Option<Self> {
        let (mac, rest) = record.strip_prefix(HEAD)?.split_at_checked(HEX_LEN)?;
        let content = rest.strip_prefix(MIDDLE)?.strip_suffix(TAIL)?;
        Some(Self { mac: unhex(mac)?, content, digest: Digest::of(content) })
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != HEX_LEN {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).map(|digit| digit as u8);
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NAME: &[u8] = b"pg_cache:@hooks";

    fn sealed(key: &[u8], name: &[u8], content: &str) -> Vec<u8> {
        SealKey::new(key).seal(name, content, Digest::of(content.as_bytes()))
    }

    fn holds(key: &[u8], name: &[u8], record: &[u8]) -> bool {
        Sealed::parse(record).is_some_and(|record| SealKey::new(key).has_sealed(name, &record))
    }

    #[test]
    fn a_record_is_json_and_its_seal_holds() {
        let record = sealed(b"key", NAME, "[1]");
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&record).unwrap()["list"][0], 1);
        assert_eq!(Sealed::parse(&record).unwrap().content, b"[1]");
        assert!(holds(b"key", NAME, &record));
    }

    #[test]
    fn a_seal_holds_for_its_key_and_its_name_alone() {
        let record = sealed(b"key", NAME, "[1]");
        assert!(!holds(b"kez", NAME, &record));
        for other in [&b"pg_cache:@queries"[..], b"other:@hooks", b"pg_cache:@hook", b""] {
            assert!(!holds(b"key", other, &record));
        }
    }

    #[test]
    fn an_unsigned_list_carries_no_seal() {
        for record in [&b"[]"[..], b"", b"{}", br#"{"mac":"","list":[]}"#] {
            assert!(Sealed::parse(record).is_none());
        }
    }

    #[test]
    fn a_digest_is_read_back() {
        let digest = Digest::of(b"x");
        assert_eq!(Digest::from_hex(digest.to_hex().as_bytes()), Some(digest));
        assert_eq!(Digest::from_hex(b"none"), None);
        assert_eq!(Digest::from_hex(&[b'g'; 64]), None);
    }

    proptest! {
        #[test]
        fn no_single_byte_can_be_changed(at in 0usize..90, byte: u8, content in "[a-z]{10}") {
            let mut record = sealed(b"key", NAME, &content);
            let at = at % record.len();
            prop_assume!(record[at] != byte && !record[at].eq_ignore_ascii_case(&byte));
            record[at] = byte;
            prop_assert!(!holds(b"key", NAME, &record));
        }

        #[test]
        fn no_record_is_too_strange_to_read(record: Vec<u8>) {
            let _ = Sealed::parse(&record);
        }
    }
}
