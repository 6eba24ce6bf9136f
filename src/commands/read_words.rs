//! The words behind the lookup keys of READ and MULTIREAD: `[ttl] [MINLSN <lsn>]`.

use super::parse_ttl;
use super::wrong_key;
use crate::cache::{Error, Lsn, Ttl};
use crate::server::Arguments;

/// What may stand there.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadWords {
    /// How long what is loaded lives.
    pub ttl: Option<Ttl>,
    /// The position in the write-ahead log that the answer must reach.
    pub min_lsn: Option<Lsn>,
}

impl ReadWords {
    /// Those of a command whose second argument holds the lookup keys.
    pub fn of(arguments: Arguments<'_>) -> Result<Self, Error> {
        Self::parse([2, 3, 4].map(|index| arguments.get(index)), arguments.required(1))
    }

    fn parse(words: [Option<&[u8]>; 3], key: &[u8]) -> Result<Self, Error> {
        match words {
            [None, ..] => Ok(Self::default()),
            [Some(word), lsn, None] if is_minlsn(word) => Ok(Self { ttl: None, min_lsn: Some(min_lsn(lsn)?) }),
            [Some(ttl), None, _] => Ok(Self { ttl: parse_ttl(Some(ttl), key)?, min_lsn: None }),
            [Some(ttl), Some(word), lsn] if is_minlsn(word) => {
                Ok(Self { ttl: parse_ttl(Some(ttl), key)?, min_lsn: Some(min_lsn(lsn)?) })
            }
            _ => Err(wrong_key(key).unwrap_or_else(|| {
                Error::malformed("behind the lookup key come a time to live in seconds and MINLSN <lsn>, each once")
            })),
        }
    }
}

fn is_minlsn(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"MINLSN")
}

/// Reads the position behind MINLSN.
pub(super) fn min_lsn(word: Option<&[u8]>) -> Result<Lsn, Error> {
    let lsn = word.and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
    lsn.ok_or_else(|| {
        Error::malformed(
            "MINLSN takes a position in the write-ahead log such as 16/B374D848: what SELECT pg_current_wal_insert_lsn() returns \
             after COMMIT",
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<(Option<u32>, Option<u64>), String> {
        let words = [0, 1, 2].map(|index| words.get(index).map(|word| word.as_bytes()));
        let read = ReadWords::parse(words, b"{\"id\":1}").map_err(|error| error.to_string())?;
        Ok((read.ttl.map(Ttl::seconds), read.min_lsn.map(|lsn| lsn.0)))
    }

    #[test]
    fn a_time_to_live_and_a_position_may_stand_behind_the_key() {
        assert_eq!(read(&[]), Ok((None, None)));
        assert_eq!(read(&["60"]), Ok((Some(60), None)));
        assert_eq!(read(&["MINLSN", "0/1F"]), Ok((None, Some(31))));
        assert_eq!(read(&["60", "minlsn", "1/0"]), Ok((Some(60), Some(1 << 32))));
    }

    #[test]
    fn what_is_no_position_is_refused_with_what_one_looks_like() {
        for words in [&["MINLSN"][..], &["minlsn", "5"], &["9", "MINLSN"], &["MINLSN", "0/1g"], &["9", "MINLSN", ""]] {
            assert!(read(words).unwrap_err().contains("such as 16/B374D848"), "{words:?}");
        }
        for words in [&["9", "9"][..], &["MINLSN", "0/1", "9"], &["9", "x", "0/1"], &["0"], &["MAXLSN", "0/1"]] {
            assert!(read(words).unwrap_err().starts_with("ERR "), "{words:?}");
        }
    }

    #[test]
    fn a_key_that_a_shell_has_cut_is_what_is_wrong() {
        let words = [Some(&b"1,"[..]), Some(&b"k:"[..]), None];
        let error = ReadWords::parse(words, b"{id:").unwrap_err().to_string();
        assert!(!error.contains("MINLSN"), "{error}");
    }
}
