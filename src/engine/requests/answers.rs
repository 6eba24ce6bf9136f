//! Answers: what those get who waited for a load.

use std::ffi::CStr;
use std::rc::Rc;
use std::sync::Arc;

use crate::cache::{Access, Error, Purpose, Reply};
use crate::engine::host::Host;
use crate::engine::loads::pending_multiread::{json_array, too_many_bytes, Fit, MultireadId, Slot};
use crate::engine::loads::waiter::SharedAnswer;
use crate::engine::requests::deferred_write::DeferredWrite;
use crate::engine::{command_names, Engine, FlightWaiter, LoadedRow, Store};

impl<H: Host> Engine<H> {
    /// Answers one waiter of a flight.
    pub fn answer(&mut self, ctx: H::Context<'_>, waiting: FlightWaiter<H>, answered: &SharedAnswer) {
        match waiting {
            FlightWaiter::Row { waiter, user, .. } => {
                self.requests.waiters.resume(waiter, answered.timings);
                match self.row_for(ctx, &user, command_names::READ, answered) {
                    Ok(Some(row)) => self.requests.waiters.answer(waiter, Reply::Bulk(row)),
                    Ok(None) => self.requests.waiters.answer(waiter, Reply::Nil),
                    Err(error) => self.fail(waiter, error),
                }
            }
            FlightWaiter::Part { multiread, index, .. } => self.answer_part(ctx, multiread, index, answered),
            // What follows may write, which a pause forbids.
            FlightWaiter::Continue { waiter, rest } if ctx.is_paused() => {
                self.requests
                    .deferred
                    .push(DeferredWrite::Answer(FlightWaiter::Continue { waiter, rest }, Rc::clone(answered)));
            }
            FlightWaiter::Continue { waiter, rest } => {
                self.requests.waiters.resume(waiter, answered.timings);
                let reply = rest(self, ctx, &answered.result);
                self.requests.waiters.answer(waiter, reply);
            }
        }
    }

    /// The row, if the user may read it under its own key, which may differ from the one that was asked for.
    fn row_for(
        &mut self,
        ctx: H::Context<'_>,
        user: &H::User,
        command: &'static CStr,
        answered: &SharedAnswer,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        let loaded = answered.result.as_ref().map_err(Clone::clone)?;
        self.check_own_key(ctx, user, loaded, Purpose { command, access: Access::Read })?;
        Ok(loaded.row.clone())
    }

    fn answer_part(&mut self, ctx: H::Context<'_>, multiread: MultireadId, index: usize, answered: &SharedAnswer) {
        let slot = match self.part_for(ctx, multiread, answered) {
            Ok(Some(row)) => Slot::Row(row),
            Ok(None) => Slot::Absent,
            Err(error) => {
                if let Some(multiread) = self.loads.multireads.remove(multiread) {
                    self.requests.waiters.resume(multiread.waiter, multiread.timings.and(answered.timings));
                    self.fail(multiread.waiter, error.of_element(index));
                }
                return;
            }
        };
        let Some((done, fit)) = self.loads.multireads.fill(multiread, index, slot, answered.timings) else {
            return;
        };
        self.requests.waiters.resume(done.waiter, done.timings);
        match fit {
            Fit::Fits => self.requests.waiters.answer(done.waiter, Reply::Buffer(json_array(&done.slots))),
            Fit::TooLong => {
                let max = self.settings.get().max_multiread_bytes;
                self.fail(done.waiter, too_many_bytes(max));
            }
        }
    }

    /// The row for a MULTIREAD. Only under another key than was asked for does it matter whose it is.
    fn part_for(
        &mut self,
        ctx: H::Context<'_>,
        multiread: MultireadId,
        answered: &SharedAnswer,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        match &answered.result {
            Ok(LoadedRow { acl_key: None, row, .. }) => Ok(row.clone()),
            Ok(_) => match self.loads.multireads.asker(multiread) {
                Some(user) => self.row_for(ctx, &user, command_names::MULTIREAD, answered),
                // Answered already: nobody is shown it.
                None => Ok(None),
            },
            Err(error) => Err(error.clone()),
        }
    }
}
