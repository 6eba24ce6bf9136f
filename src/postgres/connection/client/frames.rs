//! The lengths of a server's messages, followed byte by byte: a type, four bytes of length, the content.

use std::io;

/// Most bytes that a server may send before the session is ready: a few parameters, an authentication and, before an
/// error, some notices.
const GREETING_MAX: usize = 1 << 20;

/// Most bytes of one message: PostgreSQL itself makes none that is larger (`MaxAllocSize`, a gigabyte).
const MESSAGE_MAX: usize = 1 << 30;

/// The type of the message by which the server says that the session is ready.
const READY_FOR_QUERY: u8 = b'Z';

/// What a message begins with: its type and its length, which counts itself and not the type.
const HEADER_LEN: usize = 5;

/// Where in the messages the stream is.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    header: [u8; HEADER_LEN],
    header_len: usize,
    /// How many bytes of the message's content are still to come.
    content_left: usize,
    /// How many bytes came before the session was ready.
    greeting: usize,
    is_ready: bool,
}

impl Frames {
    /// Follows `bytes`, the next ones.
    ///
    /// # Errors
    /// `InvalidData`: a length that no PostgreSQL sends, or too much of a greeting.
    pub(crate) fn check(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if !self.is_ready {
            self.greeting = self.greeting.saturating_add(bytes.len());
        }
        while let [first, rest @ ..] = bytes {
            if self.content_left > 0 {
                let taken = self.content_left.min(bytes.len());
                self.content_left -= taken;
                bytes = &bytes[taken..];
                continue;
            }
            self.header[self.header_len] = *first;
            self.header_len += 1;
            bytes = rest;
            if self.header_len == HEADER_LEN {
                self.begin()?;
            }
        }
        match self.is_ready || self.greeting <= GREETING_MAX {
            true => Ok(()),
            false => Err(refused("the server sends too much before the session is ready")),
        }
    }

    /// A message begins, whose header is complete.
    fn begin(&mut self) -> io::Result<()> {
        let [kind, length @ ..] = self.header;
        self.header_len = 0;
        let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(0);
        let limit = if self.is_ready { MESSAGE_MAX } else { GREETING_MAX };
        self.content_left = length
            .checked_sub(HEADER_LEN - 1)
            .filter(|length| *length <= limit)
            .ok_or_else(|| refused("the server sends a message that is longer than PostgreSQL's are"))?;
        self.is_ready |= kind == READY_FOR_QUERY;
        Ok(())
    }
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = i32::try_from(content.len() + 4).unwrap();
        [&[kind], &length.to_be_bytes()[..], content].concat()
    }

    fn ready() -> Frames {
        let mut frames = Frames::default();
        frames.check(&message(READY_FOR_QUERY, b"I")).unwrap();
        frames
    }

    #[test]
    fn a_length_that_no_postgresql_sends_is_refused_at_once() {
        for length in [i32::MAX, 1 << 21, 3, 0, -1, i32::MIN] {
            let header = [&b"R"[..], &length.to_be_bytes()[..]].concat();
            assert!(Frames::default().check(&header).is_err(), "{length}");
        }
    }

    #[test]
    fn a_gigabyte_is_too_long_in_a_session_as_well() {
        let header = |length: i32| [&b"D"[..], &length.to_be_bytes()[..]].concat();
        assert!(ready().check(&header(1 << 29)).is_ok());
        assert!(ready().check(&header(i32::MAX)).is_err());
    }

    #[test]
    fn notices_without_end_are_no_greeting() {
        let (mut frames, notice) = (Frames::default(), message(b'N', &[b'x'; 1000]));
        assert!((0..2000).any(|_| frames.check(&notice).is_err()));
        let mut frames = ready();
        assert!((0..2000).all(|_| frames.check(&notice).is_ok()));
    }

    proptest! {
        #[test]
        fn however_the_bytes_arrive_the_messages_are_the_same(
            messages in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
            cuts in prop::collection::vec(1usize..30, 1..50),
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|(kind, content)| message(*kind, content)).collect();
            let (mut frames, mut rest) = (Frames::default(), &bytes[..]);
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() { break }
                let (now, later) = rest.split_at(cut.min(rest.len()));
                frames.check(now).unwrap();
                rest = later;
            }
            prop_assert_eq!((frames.header_len, frames.content_left), (0, 0));
            prop_assert_eq!(frames.is_ready, messages.iter().any(|(kind, _)| *kind == READY_FOR_QUERY));
        }
    }
}
