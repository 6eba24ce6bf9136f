//! The watermark: how far into the outbox the last poll reached.

use std::time::{Duration, Instant};

use crate::cache::{Gap, PgSnapshot};

/// How long ago the last poll may be: rows stay for at least twice as long.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What the last poll saw.
#[derive(Debug)]
pub(crate) struct Watermark {
    /// What it saw of the outbox; `None`: there was none.
    seen: Option<(PgSnapshot, String)>,
    /// A moment before the poll.
    asked: Instant,
}

/// Of a watermark without an outbox: no row is behind it.
static NOWHERE: PgSnapshot = PgSnapshot::never();

impl Watermark {
    /// `snapshot` of the outbox `incarnation`, in a poll that began at `asked`.
    pub(crate) fn at(snapshot: PgSnapshot, incarnation: String, asked: Instant) -> Self {
        Self { seen: Some((snapshot, incarnation)), asked }
    }

    /// There was no outbox.
    pub(crate) fn absent(asked: Instant) -> Self {
        Self { seen: None, asked }
    }

    /// Whether there was an outbox.
    pub(crate) fn is_present(&self) -> bool {
        self.seen.is_some()
    }

    /// Which transactions it has seen to their end.
    pub(crate) fn snapshot(&self) -> &PgSnapshot {
        self.seen.as_ref().map_or(&NOWHERE, |(snapshot, _)| snapshot)
    }

    /// It was our doing that the incarnation is now another.
    pub(crate) fn renew(&mut self, incarnation: String) {
        if let Some((_, before)) = &mut self.seen {
            *before = incarnation;
        }
    }

    /// A poll that began at `asked` found nothing new.
    pub(crate) fn confirm(&mut self, asked: Instant) {
        self.asked = asked;
    }

    /// Why something may have been missed between this watermark and the `next`, which was reached by `now`.
    pub(crate) fn gap(&self, next: &Self, now: Instant) -> Option<Gap> {
        let is_same = match (&self.seen, &next.seen) {
            (Some((_, before)), Some((_, after))) => before == after,
            _ => false,
        };
        if !is_same {
            return Some(Gap::Recreated);
        }
        (now.saturating_duration_since(self.asked) > LONGEST_PAUSE).then_some(Gap::Trimmed)
    }

    /// The same when there is no outbox any more.
    pub(crate) fn gap_when_absent(&self) -> Option<Gap> {
        self.is_present().then_some(Gap::Recreated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_lost_with_its_incarnation_and_after_a_while() {
        let then = Instant::now();
        let at = |name: &str| Watermark::at(PgSnapshot::default(), name.into(), then);
        let after = |seconds| then + Duration::from_secs(seconds);
        assert_eq!(at("a").gap(&at("a"), after(29)), None);
        assert_eq!(at("a").gap(&at("a"), after(31)), Some(Gap::Trimmed));
        assert_eq!(at("a").gap(&at("b"), after(0)), Some(Gap::Recreated));
        let mut renewed = at("a");
        renewed.renew("b".into());
        assert_eq!(renewed.gap(&at("b"), after(1)), None);
    }

    #[test]
    fn an_outbox_that_comes_or_goes_is_a_gap() {
        let then = Instant::now();
        let (absent, present) = (Watermark::absent(then), Watermark::at(PgSnapshot::default(), "a".into(), then));
        assert_eq!(absent.gap(&present, then), Some(Gap::Recreated));
        assert_eq!(present.gap_when_absent(), Some(Gap::Recreated));
        assert_eq!(absent.gap_when_absent(), None);
    }
}
