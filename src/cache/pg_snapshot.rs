//! Snapshots: which transactions had ended when PostgreSQL took a look.

use std::str::FromStr;

/// A `pg_snapshot`, as PostgreSQL writes it: `xmin:xmax:xip,…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PgSnapshot {
    /// Transactions before it had all ended.
    xmin: u64,
    /// Transactions from here on had not begun to write.
    pub xmax: u64,
    /// Those before it that had not ended, ascending.
    pub running: Vec<u64>,
}

impl FromStr for PgSnapshot {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, ':');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (xmin, xmax) = (number().ok_or(())?, number().ok_or(())?);
        let listed = parts.next().ok_or(())?;
        let running = listed.split(',').filter(|xid| !xid.is_empty()).map(str::parse).collect::<Result<_, _>>();
        Ok(Self { xmin, xmax, running: running.map_err(drop)? })
    }
}

impl std::fmt::Display for PgSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.xmin, self.xmax, self.running_list())
    }
}

impl PgSnapshot {
    /// One that has seen everything there will ever be: nothing comes after it.
    pub const fn never() -> Self {
        Self { xmin: u64::MAX, xmax: u64::MAX, running: Vec::new() }
    }

    /// The transactions that had not ended, with commas in between.
    pub fn running_list(&self) -> String {
        let texts: Vec<String> = self.running.iter().map(u64::to_string).collect();
        texts.join(",")
    }

    /// Whether the transaction had ended: what it wrote is seen, if it was committed.
    pub fn has_ended(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && self.running.binary_search(&xid).is_err())
    }

    /// Whether every transaction that had ended in `other` had ended in this one.
    pub fn covers(&self, other: &Self) -> bool {
        self.xmax >= other.xmax && self.running.iter().all(|xid| !other.has_ended(*xid))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn snapshot(text: &str) -> PgSnapshot {
        text.parse().unwrap()
    }

    #[test]
    fn a_snapshot_is_read_and_written_as_postgresql_has_it() {
        for text in ["5:5:", "5:9:5,7", "18446744073709551614:18446744073709551615:"] {
            assert_eq!(snapshot(text).to_string(), text);
        }
        for text in ["", "5", "5:6", "a:5:", "5:6:x"] {
            assert_eq!(text.parse::<PgSnapshot>(), Err(()), "{text}");
        }
    }

    #[test]
    fn a_snapshot_covers_one_in_which_no_more_had_ended() {
        assert!(snapshot("5:9:5,7").covers(&snapshot("5:9:5,7")), "itself");
        assert!(snapshot("7:9:7").covers(&snapshot("5:9:5,7")) && snapshot("7:12:7,10").covers(&snapshot("5:9:5,7")));
        assert!(!snapshot("5:9:5,7").covers(&snapshot("7:9:7")), "5 had ended there");
        assert!(!snapshot("9:9:").covers(&snapshot("10:10:")) && !snapshot("5:12:5").covers(&snapshot("9:9:")));
    }

    proptest! {
        #[test]
        fn covering_is_what_each_transaction_says(ours in any_snapshot(), theirs in any_snapshot()) {
            let is_behind = (0..30).any(|xid| theirs.has_ended(xid) && !ours.has_ended(xid));
            prop_assert_eq!(ours.covers(&theirs), !is_behind);
        }
    }

    /// The last one before `xmax` has always ended, as PostgreSQL has it.
    fn any_snapshot() -> impl Strategy<Value = PgSnapshot> {
        (0_u64..20, proptest::collection::btree_set(0_u64..20, 0..5)).prop_map(|(xmax, running)| {
            let running: Vec<u64> = running.into_iter().filter(|xid| xid + 1 < xmax).collect();
            PgSnapshot { xmin: running.first().copied().unwrap_or(xmax), xmax, running }
        })
    }
}
