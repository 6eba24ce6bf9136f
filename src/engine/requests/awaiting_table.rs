//! Commands that wait until the catalog has been asked for their table.

use std::sync::Arc;
use std::time::Instant;

use crate::cache::name::TableName;
use crate::cache::{Answer, Error, TableDefinition, Timings};
use crate::engine::host::Host;
use crate::engine::requests::pending_command::PendingCommand;
use crate::engine::requests::questions::Questions;
use crate::engine::{Engine, Store, TableCall, TableCommand};
use crate::workers::SourceIndex;

/// The tables that the catalog is being asked about, by source and name.
pub type Resolutions<H> = Questions<(SourceIndex, String), PendingCommand<H>>;

impl<H: Host> Engine<H> {
    /// Has the client wait until the catalog has been asked for the table, and then run the command.
    pub fn await_table(&mut self, call: &mut TableCall<'_, '_, H, impl TableCommand<H>>) -> Result<Answer, Error> {
        let name = TableName::parse(call.spelling)?;
        let source = self.sources.named(name.source())?;
        let waiter = call.caller.wait(self, call.ctx)?;
        let pending = PendingCommand::of(waiter, call);
        self.resolve(call.ctx, source, name.relation(), pending)?;
        Ok(Answer::Blocked(waiter))
    }

    /// Has the catalog asked what `relation` is, unless it is being asked, and `pending` run once it has answered.
    fn resolve(
        &mut self,
        store: impl Store,
        source: SourceIndex,
        relation: &str,
        pending: PendingCommand<H>,
    ) -> Result<(), Error> {
        let key = (source, relation.to_owned());
        let Err(pending) = self.requests.resolutions.join(&key, pending) else { return Ok(()) };
        self.describe(source, relation)?;
        self.requests.resolutions.ask(key, pending, self.load_deadline_ms(store.monotonic_ms()));
        Ok(())
    }

    /// The catalog has answered for `relation`.
    pub fn resolved(
        &mut self,
        ctx: H::Context<'_>,
        source: SourceIndex,
        relation: &str,
        result: Result<TableDefinition, Error>,
        asked: Instant,
    ) {
        let key = (source, relation.to_owned());
        let Some(waiting) = self.requests.resolutions.answered(&key) else { return };
        let definition = result.and_then(|definition| self.allowed(source, definition)).map(Arc::new);
        for pending in waiting {
            let waited = Timings::catalog(pending.asked);
            match &definition {
                Err(error) => {
                    self.requests.waiters.resume(pending.waiter(), waited);
                    self.fail_pending(ctx, pending, error.clone());
                }
                Ok(definition) => {
                    let table = self.remember(ctx, source, &pending.spelling, Arc::clone(definition), asked);
                    self.run_pending(ctx, pending, &table, waited);
                }
            }
        }
    }
}
