//! Change notices at work: what they name is dropped, before anything else is served.

use crate::cache::notice::Notice;
use crate::server::context::Context;
use crate::workers::mail::SourceIndex;

use super::state::Engine;

impl Engine {
    /// These changes were committed.
    pub fn noticed(&mut self, _ctx: Context<'_>, _source: SourceIndex, notices: Vec<Notice>) {
        self.counters.notices += notices.len() as u64;
    }

    /// What the catalog says of the tables that are known here.
    pub fn compare_definitions(
        &mut self,
        _ctx: Context<'_>,
        _source: SourceIndex,
        _seen: Vec<(u32, Option<i64>)>,
    ) {
    }
}
