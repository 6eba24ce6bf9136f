//! What is copied in both directions while the write-ahead log is streamed.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::error::ReplicationError;
use crate::cache::Lsn;

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Streamed {
    /// One message of the output plugin.
    Data(Bytes),
    /// A sign of life.
    KeepAlive {
        /// Everything before this position has been sent.
        sent: Lsn,
        /// Whether the server waits for ours.
        wants_reply: bool,
    },
}

impl Streamed {
    /// Reads the content of one `CopyData` message.
    ///
    /// # Errors
    /// It is none of those that PostgreSQL sends.
    pub(super) fn parse(mut content: Bytes) -> Result<Self, ReplicationError> {
        let malformed = || ReplicationError::protocol("the server streams what no PostgreSQL does");
        match content.first() {
            // Where it starts, where the log ends, and when it was sent.
            Some(b'w') if content.len() >= 25 => {
                content.advance(25);
                Ok(Self::Data(content))
            }
            Some(b'k') if content.len() >= 18 => {
                content.advance(1);
                let sent = Lsn(content.get_u64());
                content.advance(8);
                Ok(Self::KeepAlive { sent, wants_reply: content.get_u8() != 0 })
            }
            _ => Err(malformed()),
        }
    }
}

/// Writes that everything before `applied` has been received, and need not be kept.
pub(super) fn write_status(applied: Lsn, out: &mut BytesMut) {
    out.put_u8(b'r');
    // Written, flushed and applied: all the same to us.
    (0..3).for_each(|_| out.put_u64(applied.0));
    // The server makes nothing of our clock.
    out.put_i64(0);
    out.put_u8(0);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(content: &[u8]) -> Result<Streamed, String> {
        Streamed::parse(Bytes::copy_from_slice(content)).map_err(|error| error.to_string())
    }

    #[test]
    fn data_and_signs_of_life_are_told_apart() {
        let head = [0u8; 24];
        assert_eq!(parsed(&[b"w", &head[..], b"B"].concat()).unwrap(), Streamed::Data(Bytes::from_static(b"B")));
        let alive = [&b"k"[..], &7u64.to_be_bytes(), &[0; 8], &[1]].concat();
        assert_eq!(parsed(&alive).unwrap(), Streamed::KeepAlive { sent: Lsn(7), wants_reply: true });
    }

    #[test]
    fn our_status_is_as_long_as_postgresql_wants_it() {
        let mut out = BytesMut::new();
        write_status(Lsn(0x0102), &mut out);
        assert_eq!((out.len(), &out[..9]), (34, &[b'r', 0, 0, 0, 0, 0, 0, 1, 2][..]));
    }

    proptest! {
        #[test]
        fn any_content_is_read_or_refused(content: Vec<u8>) {
            let _ = parsed(&content);
        }
    }
}
