//! Healing: a table whose UPDATE fails because it is published leaves the publication.

use std::time::Instant;

use super::worker::Worker;
use crate::cdc::install;
use crate::postgres::{catalog, error_from};

/// What the log says when somebody else has to do it.
const NOT_HEALED: &str =
    "a table in publication pgcache has lost the replica identity that it was published with, so that its UPDATE fails: \
     ALTER PUBLICATION pgcache DROP TABLE, or give it one";

impl Worker {
    /// Takes such tables out, where no event trigger has seen to that already.
    pub(super) fn heal(&self, deadline: Instant) {
        if !matches!(self.with_session(deadline, catalog::publication_harms), Ok(true)) {
            return;
        }
        let client = self.source.open_to_write(deadline.saturating_duration_since(Instant::now()));
        match client.map(|mut client| install::heal(&mut client)) {
            Ok(Ok(())) => log::warn!(
                "a table has left publication pgcache: it had lost the replica identity that it was published with, so that \
                 its UPDATE failed; PGCACHE.WATCH ADD publishes it again once it has one"
            ),
            Ok(Err(error)) => log::warn!("{NOT_HEALED} ({})", error_from(&error, "pgcache")),
            Err(error) => log::warn!("{NOT_HEALED} ({error})"),
        }
    }
}
