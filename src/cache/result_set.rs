//! Result sets as they are stored: the rows of a query, and since when they are what PostgreSQL says.
//!
//! `{"run":"<16 hex digits>","began":"<16 hex digits>","rows":[…]}`: a table, a tag or a whole run is dropped by a number
//! that entries are compared with, whatever hangs on it, and an entry that is out of date is overwritten where it stands.

use super::canonical::write_hex;

const RUN: &[u8] = b"{\"run\":\"";
const BEGAN: &[u8] = b"\",\"began\":\"";
const ROWS: &[u8] = b"\",\"rows\":";
const END: &[u8] = b"}";

/// When a result set was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Within which run of the cache: the numbers of others mean nothing to it.
    pub run: u64,
    /// After which change.
    pub began: u64,
}

/// The entry for `rows`, a JSON array.
pub fn write(stamp: Stamp, rows: &[u8]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(RUN.len() + BEGAN.len() + ROWS.len() + END.len() + 32 + rows.len());
    entry.extend_from_slice(RUN);
    write_hex(&stamp.run.to_be_bytes(), &mut entry);
    entry.extend_from_slice(BEGAN);
    write_hex(&stamp.began.to_be_bytes(), &mut entry);
    entry.extend_from_slice(ROWS);
    entry.extend_from_slice(rows);
    entry.extend_from_slice(END);
    entry
}

/// What an entry holds; `None`: it is none of ours.
pub fn read(entry: &[u8]) -> Option<(Stamp, &[u8])> {
    let (run, rest) = number(entry.strip_prefix(RUN)?)?;
    let (began, rest) = number(rest.strip_prefix(BEGAN)?)?;
    let rows = rest.strip_prefix(ROWS)?.strip_suffix(END)?;
    (rows.starts_with(b"[") && rows.ends_with(b"]")).then_some((Stamp { run, began }, rows))
}

/// The 16 hexadecimal digits that `bytes` begins with, and what follows.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (digits, rest) = bytes.split_at_checked(16)?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| is_hex)?;
    Some((u64::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_is_json_that_tells_its_rows() {
        let entry = write(Stamp { run: 255, began: 3 }, br#"[{"id":1}]"#);
        let text = r#"{"run":"00000000000000ff","began":"0000000000000003","rows":[{"id":1}]}"#;
        assert_eq!(entry, text.as_bytes());
    }

    #[test]
    fn what_others_have_written_is_no_entry() {
        let good = write(Stamp { run: 1, began: 2 }, b"[]");
        assert!(read(&good).is_some());
        for end in 0..good.len() {
            assert_eq!(read(&good[..end]), None, "{end}");
        }
        for bad in [&b""[..], b"[]", b"null", br#"{"run":"+000000000000001","began":"0000000000000002","rows":[]}"#] {
            assert_eq!(read(bad), None);
        }
    }

    proptest! {
        #[test]
        fn an_entry_brings_back_what_was_written(run: u64, began: u64, rows: Vec<u8>) {
            let rows = [b"[", rows.as_slice(), b"]"].concat();
            let stamp = Stamp { run, began };
            let entry = write(stamp, &rows);
            prop_assert_eq!(read(&entry).unwrap(), (stamp, rows.as_slice()));
        }

        #[test]
        fn no_bytes_are_too_strange_to_read(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
