//! The guard of a load: what it has to see before what it read may be stored.

use super::PgSnapshot;

/// The number of a transaction that never ends.
pub(super) const NEVER: u64 = u64::MAX;

/// Transactions that were told before a load began, and may not have been visible by then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotGuard {
    xids: Box<[u64]>,
    /// Whose they are.
    pub(super) server: u64,
}

impl SnapshotGuard {
    /// These transactions of that server.
    pub(super) fn new(xids: Vec<u64>, server: u64) -> Self {
        Self { xids: xids.into(), server }
    }

    /// Whether all of them had ended when `snapshot` was taken, so that whatever was read later shows what they wrote.
    pub fn holds(&self, snapshot: Option<&PgSnapshot>) -> bool {
        snapshot.is_some_and(|snapshot| self.xids.iter().all(|xid| snapshot.has_ended(*xid)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_without_seeing_one_of_them_is_not_stored() {
        let guard = SnapshotGuard::new(vec![5, 8], 0);
        for (snapshot, holds) in [("9:9:", true), ("5:9:5", false), ("7:9:7", true), ("8:9:8", false), ("8:8:", false)]
        {
            assert_eq!(guard.holds(Some(&snapshot.parse().unwrap())), holds, "{snapshot}");
        }
        assert!(!guard.holds(None), "nobody has looked");
    }

    #[test]
    fn nothing_sees_what_never_ends() {
        assert!(!SnapshotGuard::new(vec![NEVER], 0).holds(Some(&PgSnapshot::never())));
    }
}
