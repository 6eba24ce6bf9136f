//! Messages in the log that tell of changed definitions. Our event triggers write them, and so may anybody else.

use std::time::{Duration, Instant};

use crate::cache::Notice;

/// What they are called.
const PREFIX: &[u8] = b"pgcache.ddl";
/// How many are taken at their word in a second: the others have definitions compared, which drops only what has changed.
const PER_SECOND: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);

/// Those of the second that runs.
#[derive(Debug)]
pub(super) struct DefinitionMessages {
    began: Instant,
    count: u32,
}

impl DefinitionMessages {
    /// None came yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, count: 0 }
    }

    /// Which relations have changed (empty: any), if that is what the message says.
    pub(super) fn take(&mut self, prefix: &[u8], content: &[u8], now: Instant) -> Option<Vec<u32>> {
        if prefix != PREFIX {
            return None;
        }
        if now.saturating_duration_since(self.began) >= SECOND {
            *self = Self::new(now);
        }
        self.count += 1;
        let told = std::str::from_utf8(content).ok().and_then(Notice::parse);
        match told {
            Some(Notice::Definitions(oids)) if self.count <= PER_SECOND => Some(oids),
            _ => Some(Vec::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_named_by_as_many_messages_as_are_taken_at_their_word() {
        let then = Instant::now();
        let mut messages = DefinitionMessages::new(then);
        let mut take = |now| messages.take(PREFIX, br#"{"pgcache":1,"ddl":[7]}"#, now);
        for _ in 0..PER_SECOND {
            assert_eq!(take(then), Some(vec![7]));
        }
        assert_eq!(take(then), Some(vec![]));
        assert_eq!(take(then + SECOND), Some(vec![7]));
    }

    #[test]
    fn what_nobody_can_read_has_definitions_compared() {
        let mut messages = DefinitionMessages::new(Instant::now());
        assert_eq!(messages.take(PREFIX, b"\xff", Instant::now()), Some(vec![]));
        assert_eq!(messages.take(b"other", b"{}", Instant::now()), None);
    }
}
