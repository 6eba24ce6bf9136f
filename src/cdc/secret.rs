//! The secret that WATCH ADD makes: it proves which notifications are ours, and shows what they hide.

use crate::cdc::install::Asking;
use crate::postgres::Texts;
use ::postgres::{SimpleQueryMessage, SimpleQueryRow};

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use sha2::{Digest, Sha384, Sha512};

/// What every notice of ours begins with on the channel.
const FORM: &str = "pgcache:2:";
const NONCE: usize = 16;
const PROOF: usize = 48;
/// The number of bits, before the bytes that PostgreSQL sends of a bit string.
const LENGTH: usize = 4;
/// Bytes of the stream that one digest makes.
const BLOCK: usize = 64;

/// Asked of the catalog first: an error would stand in PostgreSQL's log each time. What is no materialized view of
/// bytes might run somebody's code when it is read.
const IS_READABLE: &str = "\
SELECT FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'pgcache' AND c.relname = 'secret' AND c.relkind = 'm' AND c.relispopulated
   AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                    WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.atttypid <> 17::pg_catalog.oid)";
const SECRET: &str = "\
SELECT pg_catalog.encode(s.cipher, 'hex'), pg_catalog.encode(s.mac, 'hex') FROM pgcache.secret s";

/// The keys. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    cipher: Vec<u8>,
    mac: Vec<u8>,
}

impl Secret {
    /// Reads it; `None` where there is none, or none that this role may read: then nothing of ours is watched.
    ///
    /// # Errors
    /// What PostgreSQL says.
    pub fn read(client: &mut dyn Asking) -> Result<Option<Self>, ::postgres::Error> {
        if rows(client, IS_READABLE)?.is_empty() {
            return Ok(None);
        }
        let rows = rows(client, SECRET)?;
        let keys = rows.first().and_then(|row| Some((from_hex(row.text(0)?)?, from_hex(row.text(1)?)?)));
        Ok(keys.map(|(cipher, mac)| Self { cipher, mac }))
    }

    /// The notice that the session of `process` hid in `payload`; `None` when it is not proven.
    pub fn open(&self, payload: &str, process: i32) -> Option<String> {
        let bytes = from_base64(payload.strip_prefix(FORM)?)?;
        let (nonce, rest) = bytes.split_at_checked(NONCE)?;
        let (proof, hidden) = rest.split_at_checked(PROOF)?;
        if !is_equal(&self.proof(process, nonce, hidden), proof) {
            return None;
        }
        String::from_utf8(self.reveal(nonce, hidden.get(LENGTH..)?)).ok()
    }

    /// Hides `notice`, and proves that it comes from us in the session of `process`, as `pgcache.seal` does.
    pub fn seal(&self, notice: &str, process: i32) -> String {
        let nonce: [u8; NONCE] = std::array::from_fn(|_| fastrand::u8(..));
        let mut hidden = (notice.len() as u32 * 8).to_be_bytes().to_vec();
        hidden.extend(self.reveal(&nonce, notice.as_bytes()));
        let proof = self.proof(process, &nonce, &hidden);
        let sealed = [&nonce[..], &proof, &hidden].concat();
        format!("{FORM}{}", STANDARD.encode(&sealed))
    }

    fn proof(&self, process: i32, nonce: &[u8], hidden: &[u8]) -> Vec<u8> {
        let digest = Sha384::new().chain_update(&self.mac).chain_update(process.to_be_bytes());
        digest.chain_update(nonce).chain_update(hidden).finalize().to_vec()
    }

    /// The bytes behind `hidden`, or the other way round.
    fn reveal(&self, nonce: &[u8], hidden: &[u8]) -> Vec<u8> {
        let mut plain = Vec::with_capacity(hidden.len());
        for (number, block) in (0u32..).zip(hidden.chunks(BLOCK)) {
            let digest = Sha512::new()
                .chain_update(&self.cipher)
                .chain_update(nonce)
                .chain_update(number.to_be_bytes())
                .finalize();
            plain.extend(block.iter().zip(digest.iter()).map(|(byte, pad)| byte ^ pad));
        }
        plain
    }
}

/// The rows that `sql` brings in the simple protocol, so that any pooler in between will do.
fn rows(client: &mut dyn Asking, sql: &str) -> Result<Vec<SimpleQueryRow>, ::postgres::Error> {
    let messages = client.run(sql)?.into_iter();
    Ok(messages
        .filter_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None })
        .collect())
}

/// Whether `payload` has the form of what we send, whoever sent it.
pub(crate) fn is_sealed(payload: &str) -> bool {
    payload.starts_with(FORM)
}

/// Takes the same time whichever bytes differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let difference = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && std::hint::black_box(difference) == 0
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    Some(digits?.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
}

/// PostgreSQL breaks lines.
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|digit| *digit != b'\n').collect();
    STANDARD.decode(digits).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret() -> Secret {
        Secret { cipher: vec![7; 32], mac: vec![9; 32] }
    }

    #[test]
    fn base64_and_hex_are_read_as_postgresql_writes_them() {
        assert_eq!(from_base64("aGVs\nbG8=").unwrap(), b"hello");
        assert_eq!(from_base64("a!"), None);
        assert_eq!(from_hex("00ff1a").unwrap(), [0, 255, 26]);
        assert_eq!(from_hex("0g"), None);
    }

    #[test]
    fn bytes_are_equal_only_if_all_are() {
        assert!(is_equal(b"abc", b"abc"));
        assert!(!is_equal(b"abc", b"abd") && !is_equal(b"abc", b"ab") && !is_equal(b"", b"a"));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_for_its_session_alone(notice in ".{0,300}", process: i32) {
            let sealed = secret().seal(&notice, process);
            prop_assert_eq!(secret().open(&sealed, process), Some(notice));
            prop_assert_eq!(secret().open(&sealed, process.wrapping_add(1)), None);
        }

        #[test]
        fn any_text_is_refused(text in ".{0,300}", digits in "[A-Za-z0-9+/]{0,400}") {
            prop_assert_eq!(secret().open(&text, 1), None);
            prop_assert_eq!(secret().open(&format!("{FORM}{digits}"), 1), None);
        }
    }
}
