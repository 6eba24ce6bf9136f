//! Transactions in doubt.

use crate::cache::{Gap, PgSnapshot};

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

    /// The transaction with this number was told after all.
    pub(crate) fn settle(&mut self, xid: u64) {
        if let Some((_, running)) = &mut self.of {
            running.retain(|running| *running != xid);
        }
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
