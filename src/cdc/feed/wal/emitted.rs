//! Notices that are messages in the log: of changed definitions, which our event triggers write, and of flushes. Anybody else may write
//! them too.

use std::time::{Duration, Instant};

use crate::cache::Notice;

/// What they are called.
const DEFINITIONS: &[u8] = b"pgcache.ddl";
const FLUSH: &[u8] = b"pgcache.flush";
/// How many are taken at their word in a second: the others have definitions compared, which drops only what has changed.
const PER_SECOND: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);

/// Those of the second that runs.
#[derive(Debug)]
pub(super) struct EmittedNotices {
    began: Instant,
    count: u32,
}

impl EmittedNotices {
    /// None came yet.
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, count: 0 }
    }

    /// What the message tells, if it is one of these.
    pub(super) fn take(&mut self, prefix: &[u8], content: &[u8], now: Instant) -> Option<Notice> {
        if prefix != DEFINITIONS && prefix != FLUSH {
            return None;
        }
        if now.saturating_duration_since(self.began) >= SECOND {
            *self = Self::new(now);
        }
        self.count += 1;
        let told = std::str::from_utf8(content).ok().and_then(Notice::parse);
        let is_meant = |notice: &Notice| match notice {
            Notice::Definitions(_) => prefix == DEFINITIONS,
            Notice::Table(_) | Notice::Tags(_) | Notice::All => prefix == FLUSH,
            Notice::Rows { .. } | Notice::Beat(_) => false,
        };
        let told = told.filter(is_meant).filter(|_| self.count <= PER_SECOND);
        Some(told.unwrap_or(Notice::Definitions(Vec::new())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_are_named_by_as_many_messages_as_are_taken_at_their_word() {
        let then = Instant::now();
        let mut messages = EmittedNotices::new(then);
        let mut take = |now| messages.take(DEFINITIONS, br#"{"pgcache":1,"ddl":[7]}"#, now);
        for _ in 0..PER_SECOND {
            assert_eq!(take(then), Some(Notice::Definitions(vec![7])));
        }
        assert_eq!(take(then), Some(Notice::Definitions(vec![])));
        assert_eq!(take(then + SECOND), Some(Notice::Definitions(vec![7])));
    }

    #[test]
    fn what_nobody_can_read_has_definitions_compared() {
        let mut messages = EmittedNotices::new(Instant::now());
        assert_eq!(messages.take(DEFINITIONS, b"\xff", Instant::now()), Some(Notice::Definitions(vec![])));
        let ddl = br#"{"pgcache":1,"ddl":[7]}"#;
        assert_eq!(messages.take(FLUSH, ddl, Instant::now()), Some(Notice::Definitions(vec![])));
        let flush = br#"{"pgcache":1,"all":true}"#;
        assert_eq!(messages.take(FLUSH, flush, Instant::now()), Some(Notice::All));
        assert_eq!(messages.take(b"other", b"{}", Instant::now()), None);
    }
}
