//! Suspect sources: those whose change notices are in doubt.

use crate::workers::mail::SourceIndex;

use super::state::Engine;

impl Engine {
    /// For how long the notices of `source` have been in doubt, in milliseconds since its lease ran out; `None`: they are not.
    pub fn suspect_for_ms(&self, _source: SourceIndex) -> Option<u64> {
        None
    }
}
