//! How long an entry lives.

use std::time::Duration;

use super::error::Error;

/// The largest TTL, in seconds.
const MAX_SECONDS: u32 = i32::MAX as u32;

/// The shortest life that jitter leaves to an entry, in milliseconds.
const SHORTEST_MS: u64 = 1_000;

/// A time to live of 1 to 2^31-1 whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ttl {
    seconds: u32,
}

impl Ttl {
    /// Reads a command's `ttl` argument: decimal digits alone, without sign, spaces or leading zeros.
    ///
    /// Anything else, 0 and more than 2^31-1 are `ERR invalid TTL`.
    pub fn parse(argument: &[u8]) -> Result<Self, Error> {
        decimal(argument).and_then(Self::from_seconds).ok_or_else(|| {
            Error::malformed(
                "invalid TTL: whole seconds from 1 to 2147483647 are expected; without one it is default_ttl",
            )
        })
    }

    /// A TTL of `seconds`; `None` for 0 (how a setting says "no expiry") and for more than 2^31-1.
    pub fn from_seconds(seconds: u32) -> Option<Self> {
        (1..=MAX_SECONDS).contains(&seconds).then_some(Self { seconds })
    }

    /// Whole seconds, 1 to 2^31-1.
    pub fn seconds(self) -> u32 {
        self.seconds
    }
}

/// How long an entry that is stored now lives; `None` (it never expires) when `ttl` is `None`.
///
/// Jitter only ever shortens, so that no entry outlives the TTL that was asked for: by up to
/// `jitter_percent` (more than 100 counts as 100) of the TTL, in milliseconds, but not below one second.
/// `random` is any evenly spread number.
pub fn expiry(ttl: Option<Ttl>, jitter_percent: u8, random: u64) -> Option<Duration> {
    let full_ms = u64::from(ttl?.seconds) * 1_000;
    let spread_ms = full_ms * u64::from(jitter_percent.min(100)) / 100;
    let life_ms = full_ms - random % (spread_ms + 1);
    Some(Duration::from_millis(life_ms.max(SHORTEST_MS)))
}

/// The shortest life in milliseconds that jitter may leave of `ttl_s` seconds; 0 for no expiry.
pub fn shortest_ms(ttl_s: u32, jitter_percent: u8) -> u64 {
    let full_ms = u64::from(ttl_s) * 1_000;
    let shortest_ms = full_ms - full_ms * u64::from(jitter_percent.min(100)) / 100;
    shortest_ms.max(SHORTEST_MS).min(full_ms)
}

/// How long the server keeps an entry that lives for `life`: its grace comes on top, whole.
pub fn kept(life: Option<Duration>, grace: Duration) -> Option<Duration> {
    life.map(|life| life + grace)
}

/// A time to live as flights carry it, in seconds; 0 stands for no expiry.
pub fn whole_seconds(ttl: Option<Duration>) -> u32 {
    ttl.map_or(0, |ttl| u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX))
}

/// The shorter of two times to live in seconds, where 0 stands for no expiry.
pub fn shorter(a_s: u32, b_s: u32) -> u32 {
    match (a_s, b_s) {
        (0, other_s) | (other_s, 0) => other_s,
        (a_s, b_s) => a_s.min(b_s),
    }
}

/// The number that plain decimal digits spell.
fn decimal(digits: &[u8]) -> Option<u32> {
    // Ten digits hold 2^31-1, and their sum cannot overflow a u64.
    if digits.is_empty() || digits.len() > 10 || digits.starts_with(b"0") {
        return None;
    }
    let number =
        digits.iter().try_fold(0u64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))?;
    u32::try_from(number).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn whole_seconds_are_taken() {
        assert_eq!(Ttl::parse(b"1").unwrap().seconds(), 1);
        assert_eq!(Ttl::parse(b"2147483647").unwrap().seconds(), 2_147_483_647);
    }

    #[test]
    fn everything_else_is_an_invalid_ttl() {
        let refused =
            ["", "0", "00", "-1", "+1", " 1", "1 ", "1.5", "1e3", "ten", "2147483648", "99999999999999999999", "٣"];
        for argument in refused {
            let error = Ttl::parse(argument.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("ERR invalid TTL: "), "{argument}: {error}");
        }
        assert!(Ttl::parse(b"1\0").is_err());
    }

    #[test]
    fn no_ttl_is_no_expiry() {
        assert_eq!(Ttl::from_seconds(0), None);
        assert_eq!(expiry(None, 50, 7), None);
        assert_eq!(kept(None, Duration::from_secs(60)), None, "and no grace");
    }

    #[test]
    fn without_jitter_the_ttl_is_exact() {
        assert_eq!(expiry(Ttl::from_seconds(60), 0, u64::MAX), Some(Duration::from_secs(60)));
    }

    proptest! {
        #[test]
        fn jitter_shortens_by_its_percentage_at_most(seconds in 1..=MAX_SECONDS, percent: u8, random: u64) {
            let life_ms = expiry(Ttl::from_seconds(seconds), percent, random).unwrap().as_millis() as u64;
            let full_ms = u64::from(seconds) * 1_000;
            let shortest = full_ms - full_ms * u64::from(percent.min(100)) / 100;
            prop_assert!(life_ms <= full_ms && life_ms >= shortest.max(SHORTEST_MS));
        }

        #[test]
        fn jitter_shortens_the_life_and_never_the_grace(
            seconds in 1..=MAX_SECONDS, percent in 0..=100u8, random: u64, grace_s in 0..=MAX_SECONDS,
        ) {
            let grace = Duration::from_secs(grace_s.into());
            let kept = kept(expiry(Ttl::from_seconds(seconds), percent, random), grace).unwrap();
            let life_ms = (kept - grace).as_millis() as u64;
            prop_assert!(life_ms >= shortest_ms(seconds, percent) && life_ms <= u64::from(seconds) * 1_000);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            if let Ok(ttl) = Ttl::parse(&bytes) {
                prop_assert_eq!(ttl.seconds().to_string().into_bytes(), bytes);
            }
        }
    }
}
