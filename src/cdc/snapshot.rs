//! Snapshots: which transactions had ended when PostgreSQL took a look.

use std::str::FromStr;

use crate::cache::Gap;

/// A `pg_snapshot`, as PostgreSQL writes it: `xmin:xmax:xip,…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PgSnapshot {
    xmin: u64,
    /// Transactions from here on had not begun to write.
    pub(crate) xmax: u64,
    /// Those before it that had not ended, ascending.
    pub(crate) running: Vec<u64>,
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
    pub(crate) const fn never() -> Self {
        Self { xmin: u64::MAX, xmax: u64::MAX, running: Vec::new() }
    }

    /// The transactions that had not ended, with commas in between.
    pub(crate) fn running_list(&self) -> String {
        let texts: Vec<String> = self.running.iter().map(u64::to_string).collect();
        texts.join(",")
    }

    /// Whether the transaction had ended.
    fn has_ended(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && self.running.binary_search(&xid).is_err())
    }
}

/// Transactions that ran while notices could not be kept: whatever they wrote was perhaps not told, and shows only
/// once they end.
#[derive(Debug, Default)]
pub(crate) struct InDoubt {
    of: Option<(Gap, Vec<u64>)>,
}

impl InDoubt {
    /// Everything that runs at `snapshot` is in doubt, because of `gap`.
    pub(crate) fn begin(&mut self, gap: Gap, snapshot: &PgSnapshot) {
        self.of = Some((gap, snapshot.running.clone()));
    }

    /// Of what runs at `snapshot`, the transactions with these numbers (as `xid` has them, without their epoch) are in
    /// doubt as well.
    pub(crate) fn add(&mut self, gap: Gap, xids: &[u32], snapshot: &PgSnapshot) {
        let (_, running) = self.of.get_or_insert_with(|| (gap, Vec::new()));
        running.extend(snapshot.running.iter().filter(|xid| xids.contains(&(**xid as u32))));
    }

    /// The gap that it is when some of them have ended since.
    pub(crate) fn ended(&mut self, snapshot: &PgSnapshot) -> Option<Gap> {
        let (gap, running) = self.of.as_mut()?;
        let (gap, before) = (*gap, running.len());
        running.retain(|xid| !snapshot.has_ended(*xid));
        let left = running.len();
        if left == 0 {
            self.of = None;
        }
        (left < before).then_some(gap)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

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
    fn some_of_what_runs_can_be_in_doubt() {
        let mut in_doubt = InDoubt::default();
        let now = snapshot("4294967301:4294967310:4294967301,4294967303");
        in_doubt.add(Gap::Recreated, &[7, 99], &now);
        assert_eq!(in_doubt.ended(&snapshot("4294967303:4294967310:4294967303")), None);
        assert_eq!(in_doubt.ended(&snapshot("4294967310:4294967310:")), Some(Gap::Recreated));
    }

    #[test]
    fn what_ran_is_in_doubt_until_it_ends() {
        let mut in_doubt = InDoubt::default();
        assert_eq!(in_doubt.ended(&snapshot("9:9:")), None);
        in_doubt.begin(Gap::Overflow, &snapshot("5:9:5,7"));
        assert_eq!(in_doubt.ended(&snapshot("5:12:5,7,10")), None);
        assert_eq!(in_doubt.ended(&snapshot("5:12:5,10")), Some(Gap::Overflow));
        assert_eq!(in_doubt.ended(&snapshot("5:12:5")), None);
        assert_eq!(in_doubt.ended(&snapshot("13:13:")), Some(Gap::Overflow));
        assert_eq!(in_doubt.ended(&snapshot("14:14:")), None);
    }
}
