//! The age of an entry: fresh, due for a refresh, or stale.

use super::ttl;

/// What the settings say of entries that grow old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ageing {
    /// How long beyond its life an entry is kept and may be served, in milliseconds.
    pub grace_ms: u64,
    /// In the last so many percent of its life an entry that is read is loaded anew.
    pub ahead_percent: u8,
    /// By how many percent, at most, lives are shortened at random.
    pub jitter_percent: u8,
}

/// How old an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// Young enough.
    Fresh,
    /// Near the end of its life: time to load it anew.
    NeedsRefresh,
    /// Beyond its life, within its grace.
    Stale,
}

impl Ageing {
    /// Whether age makes no difference, so that nobody need ask for it.
    pub fn is_off(self) -> bool {
        self.grace_ms == 0 && self.ahead_percent == 0
    }

    /// The age of a row that the server keeps for `left_ms` more (`None`: for ever) and whose reader would have it
    /// live for `ttl_s` seconds (0: for ever).
    ///
    /// What counts as near the end is measured by the shortest life that jitter leaves: were it the full one, an entry that
    /// was given a short life would be loaded anew as soon as it was stored.
    pub fn age(self, left_ms: Option<u64>, ttl_s: u32) -> Age {
        let Some(left_ms) = left_ms else { return Age::Fresh };
        let life_ms = self.life_ms(left_ms);
        if life_ms == 0 && self.grace_ms > 0 {
            return Age::Stale;
        }
        let ahead_ms = ttl::shortest_ms(ttl_s, self.jitter_percent) * u64::from(self.ahead_percent) / 100;
        if life_ms < ahead_ms {
            Age::NeedsRefresh
        } else {
            Age::Fresh
        }
    }

    /// What is left of its life of a row that the server keeps for `left_ms` more.
    pub fn life_ms(self, left_ms: u64) -> u64 {
        left_ms.saturating_sub(self.grace_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OFF: Ageing = Ageing { grace_ms: 0, ahead_percent: 0, jitter_percent: 0 };

    #[test]
    fn without_grace_and_refresh_ahead_nothing_ages() {
        assert!(OFF.is_off());
        assert_eq!(OFF.age(Some(0), 60), Age::Fresh);
        assert!(Ageing { jitter_percent: 50, ..OFF }.is_off());
    }

    #[test]
    fn what_does_not_expire_does_not_age() {
        let ageing = Ageing { grace_ms: 5_000, ahead_percent: 99, jitter_percent: 0 };
        assert_eq!(ageing.age(None, 0), Age::Fresh);
        assert_eq!(ageing.age(None, 60), Age::Fresh);
    }

    #[test]
    fn an_entry_is_stale_once_only_its_grace_is_left() {
        let ageing = Ageing { grace_ms: 5_000, ..OFF };
        assert_eq!(ageing.age(Some(5_001), 60), Age::Fresh);
        assert_eq!(ageing.age(Some(5_000), 60), Age::Stale);
        assert_eq!((ageing.life_ms(5_001), ageing.life_ms(4_000)), (1, 0));
    }

    #[test]
    fn an_entry_is_due_in_the_last_percents_of_its_life() {
        let ageing = Ageing { grace_ms: 5_000, ahead_percent: 10, jitter_percent: 0 };
        assert_eq!(ageing.age(Some(11_000), 60), Age::Fresh);
        assert_eq!(ageing.age(Some(10_999), 60), Age::NeedsRefresh);
        assert_eq!(ageing.age(Some(5_000), 60), Age::Stale);
    }

    #[test]
    fn nothing_is_due_for_a_reader_who_would_have_it_live_for_ever() {
        assert_eq!(Ageing { ahead_percent: 99, ..OFF }.age(Some(1), 0), Age::Fresh);
    }

    proptest! {
        #[test]
        fn what_was_just_stored_is_fresh_whatever_the_jitter(
            seconds in 1..1_000_000u32, jitter in 0..=100u8, ahead in 0..=99u8, grace_ms in 0..1_000_000u64, random: u64,
        ) {
            let ageing = Ageing { grace_ms, ahead_percent: ahead, jitter_percent: jitter };
            let life = ttl::expiry(ttl::Ttl::from_seconds(seconds), jitter, random);
            let kept = ttl::kept(life, std::time::Duration::from_millis(grace_ms));
            let left_ms = kept.map(|kept| kept.as_millis() as u64);
            prop_assert_eq!(ageing.age(left_ms, seconds), Age::Fresh);
        }

        #[test]
        fn an_entry_only_grows_older(
            left_ms in 0..100_000u64, seconds in 0..100u32, ahead in 0..=99u8, grace_ms in 0..50_000u64,
        ) {
            let ageing = Ageing { grace_ms, ahead_percent: ahead, jitter_percent: 0 };
            let rank = |left_ms| ageing.age(Some(left_ms), seconds) as u8;
            prop_assert!(rank(left_ms) >= rank(left_ms + 1));
        }
    }
}
