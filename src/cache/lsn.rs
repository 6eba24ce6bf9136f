//! Positions in PostgreSQL's write-ahead log.

use std::fmt;
use std::str::FromStr;

/// A position: a number of bytes, which PostgreSQL writes as `16/B374D848`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lsn(pub u64);

impl FromStr for Lsn {
    type Err = ();

    /// Reads what PostgreSQL takes for a `pg_lsn`: two numbers of one to eight hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (high, low) = text.split_once('/').ok_or(())?;
        Ok(Self(half(high)? << 32 | half(low)?))
    }
}

fn half(digits: &str) -> Result<u64, ()> {
    let is_half = (1..=8).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !is_half {
        return Err(());
    }
    u64::from_str_radix(digits, 16).map_err(drop)
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_position_is_read_as_postgresql_reads_it() {
        assert_eq!("16/B374D848".parse(), Ok(Lsn(0x16_B374_D848)));
        assert_eq!("0/0".parse(), Ok(Lsn(0)));
        assert_eq!("ffffffff/FFFFFFFF".parse(), Ok(Lsn(u64::MAX)));
        for text in ["", "/", "1/", "/1", "1", "1/2/3", "123456789/0", "+1/0", "0x1/0", " 1/0", "1/g"] {
            assert_eq!(text.parse::<Lsn>(), Err(()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(position: u64) {
            prop_assert_eq!(Lsn(position).to_string().parse(), Ok(Lsn(position)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,24}") {
            let _ = text.parse::<Lsn>();
        }
    }
}
