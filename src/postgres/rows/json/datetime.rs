//! Dates and times, which PostgreSQL counts from 1 January 2000 and its JSON functions write as XML Schema does.

use std::io::Write as _;

/// Microseconds.
const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 60 * 60 * SECOND;
/// Days from 1 March of the year 0 to 1 January 2000.
const EPOCH: i64 = 730_425;
/// Days in 400, 100 and 4 years that begin with March.
const CYCLE: i64 = 146_097;
const CENTURY: i64 = 36_524;
const LEAP: i64 = 1_461;

/// Appends the date that is so many days after 1 January 2000.
pub(crate) fn write_date(days: i32, out: &mut Vec<u8>) {
    match days {
        i32::MAX => out.extend_from_slice(b"\"infinity\""),
        i32::MIN => out.extend_from_slice(b"\"-infinity\""),
        _ => {
            out.push(b'"');
            let era = write_day(days.into(), out);
            out.extend_from_slice(era.as_bytes());
            out.push(b'"');
        }
    }
}

/// Appends the time of day that is so many microseconds after midnight.
pub(crate) fn write_time(us: i64, out: &mut Vec<u8>) {
    out.push(b'"');
    write_clock(us, out);
    out.push(b'"');
}

/// Appends the moment that is so many microseconds after the beginning of 2000, with its `zone`.
pub(crate) fn write_timestamp(us: i64, zone: &str, out: &mut Vec<u8>) {
    match us {
        i64::MAX => out.extend_from_slice(b"\"infinity\""),
        i64::MIN => out.extend_from_slice(b"\"-infinity\""),
        _ => {
            out.push(b'"');
            let era = write_day(us.div_euclid(DAY), out);
            out.push(b'T');
            write_clock(us.rem_euclid(DAY), out);
            out.extend_from_slice(zone.as_bytes());
            out.extend_from_slice(era.as_bytes());
            out.push(b'"');
        }
    }
}

/// Appends `2000-01-01`; returns what is to follow for a year before the first.
fn write_day(days: i64, out: &mut Vec<u8>) -> &'static str {
    let (year, month, day) = civil(days);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    // Writing into memory cannot fail.
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
    era
}

/// Appends `04:05:06.789`, without the zeros at the end of a fraction.
fn write_clock(us: i64, out: &mut Vec<u8>) {
    let (seconds, fraction) = (us / SECOND, us % SECOND);
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        let _ = write!(out, ".{fraction:06}");
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// Year (0 is 1 BC), month and day of the Gregorian calendar, which PostgreSQL uses for all times.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years are taken to begin with March, so that a leap day is the last of its year.
    let days = days + EPOCH;
    let (cycle, day) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
    let year = (day - day / (LEAP - 1) + day / CENTURY - day / (CYCLE - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, 153 days make five months.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (cycle * 400 + year + next, month, day)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn date(days: i32) -> String {
        let mut out = vec![];
        write_date(days, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn timestamp(us: i64, zone: &str) -> String {
        let mut out = vec![];
        write_timestamp(us, zone, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (days, text) in [
            (0, "\"2000-01-01\""),
            (-1, "\"1999-12-31\""),
            (59, "\"2000-02-29\""),
            (60, "\"2000-03-01\""),
            (366, "\"2001-01-01\""),
            (-36_465, "\"1900-03-01\""),
            (-36_466, "\"1900-02-28\""),
            (2_921_939, "\"9999-12-31\""),
            (2_921_940, "\"10000-01-01\""),
            (-730_119, "\"0001-01-01\""),
            (-730_120, "\"0001-12-31 BC\""),
            (i32::MAX, "\"infinity\""),
            (i32::MIN, "\"-infinity\""),
        ] {
            assert_eq!(date(days), text, "{days}");
        }
    }

    #[test]
    fn moments_have_no_zeros_at_the_end_of_a_fraction() {
        for (us, text) in [
            (0, "\"2000-01-01T00:00:00\""),
            (1, "\"2000-01-01T00:00:00.000001\""),
            (-1, "\"1999-12-31T23:59:59.999999\""),
            (1_500_000, "\"2000-01-01T00:00:01.5\""),
            (10 * SECOND, "\"2000-01-01T00:00:10\""),
            (i64::MAX, "\"infinity\""),
            (i64::MIN, "\"-infinity\""),
        ] {
            assert_eq!(timestamp(us, ""), text, "{us}");
        }
        assert_eq!(timestamp(-730_120 * DAY, "+00:00"), "\"0001-12-31T00:00:00+00:00 BC\"");
    }

    #[test]
    fn a_day_may_end_at_24() {
        let mut out = vec![];
        write_time(DAY, &mut out);
        assert_eq!(out, b"\"24:00:00\"");
    }

    proptest! {
        #[test]
        fn each_day_follows_the_one_before(days in -3_000_000i64..100_000_000) {
            let (year, month, day) = civil(days);
            let next = civil(days + 1);
            prop_assert!((1..=12).contains(&month) && (1..=31).contains(&day));
            let follows = next == (year, month, day + 1)
                || (day >= 28 && next == (year, month + 1, 1))
                || ((month, day) == (12, 31) && next == (year + 1, 1, 1));
            prop_assert!(follows, "{:?} after {:?}", next, (year, month, day));
        }
    }
}
