//! Positions in the write-ahead log that polls have reached.

use crate::cache::Lsn;

/// Those of one session.
///
/// A poll sees what is committed, and visible, before its snapshot. A client that names a position has read it after his COMMIT
/// returned. So a poll has seen the change of whoever has named a position *before* one that was read when the poll had not begun yet: that
/// of the poll before. The same position proves nothing: a commit may stand there that waits for a standby, and is not visible.
#[derive(Debug, Default)]
pub(super) struct Positions {
    /// What the last poll has read.
    read: Option<Lsn>,
    /// What it has reached.
    pub told: Option<Lsn>,
}

impl Positions {
    /// A poll has ended that has read `lsn`.
    pub(super) fn polled(&mut self, lsn: Option<Lsn>) {
        self.told = self.read.map(|Lsn(read)| Lsn(read.saturating_sub(1)));
        self.read = lsn;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_has_reached_what_was_before_the_position_that_the_one_before_it_has_read() {
        let mut positions = Positions::default();
        positions.polled(Some(Lsn(10)));
        assert_eq!(positions.told, None);
        positions.polled(Some(Lsn(20)));
        assert_eq!(positions.told, Some(Lsn(9)));
        positions.polled(None);
        assert_eq!(positions.told, Some(Lsn(19)));
        positions.polled(Some(Lsn(30)));
        assert_eq!(positions.told, None);
    }
}
