//! Suspect sources: those whose change notices are in doubt.

use crate::engine::host::Host;
use crate::engine::Engine;
use crate::workers::SourceIndex;

impl<H: Host> Engine<H> {
    /// For how long the notices of `source` have been in doubt, in milliseconds from the end of its lease to `now_ms`; `None`: they are not,
    /// or never were to be relied on.
    pub fn suspect_for_ms(&self, source: SourceIndex, now_ms: u64) -> Option<u64> {
        let max_staleness_ms = self.settings.get().max_staleness.as_millis() as u64;
        let ran_out_ms = self.freshness.leases.get(source)?.lease.ran_out_ms(max_staleness_ms)?;
        now_ms.checked_sub(ran_out_ms)
    }
}
