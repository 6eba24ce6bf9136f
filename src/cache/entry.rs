//! What the bytes stored under a cache key are.

/// Stored bytes, told apart by their first and last byte only: this runs on every hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry<'a> {
    /// The JSON of a row, as it was stored.
    Row(&'a [u8]),
    /// A row that is known not to exist.
    Absent,
    /// Nothing that the cache stores: someone else wrote it.
    Foreign,
}

impl<'a> Entry<'a> {
    /// What is stored for a row that does not exist.
    pub const ABSENT: &'static [u8] = b"null";

    /// Classifies the bytes of one stored string.
    pub fn classify(stored: &'a [u8]) -> Self {
        match stored {
            Self::ABSENT => Self::Absent,
            [b'{', .., b'}'] => Self::Row(stored),
            _ => Self::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_absent_rows_are_told_from_foreign_bytes() {
        assert_eq!(Entry::classify(b"{\"id\":1}"), Entry::Row(b"{\"id\":1}"));
        assert_eq!(Entry::classify(b"{}"), Entry::Row(b"{}"));
        assert_eq!(Entry::classify(b"null"), Entry::Absent);
        for foreign in [&b""[..], b"{", b"}", b"null ", b"NULL", b"[1]", b"42", b"{\"id\":1", b" {}", b"\0\xff"] {
            assert_eq!(Entry::classify(foreign), Entry::Foreign);
        }
    }
}
