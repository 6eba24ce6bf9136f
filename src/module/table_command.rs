//! Commands on tables, as a client sends them: the engine runs them, once nobody refuses them.

use super::before_command;
use super::command::Outcome;
use super::current::with;
use super::host::Server;
use crate::cache::Reply;
use crate::engine::{Begun, Caller, TableCall, TableCommand};
use crate::plugins::call;
use crate::plugins::call::Args;
use crate::server::{Arguments, Context};

/// Runs `command`, which came with `arguments`, for the client of `ctx` on the table that it calls `spelling`.
pub fn run_on_table(
    ctx: Context<'_>,
    arguments: Arguments<'_>,
    spelling: &[u8],
    command: &impl TableCommand<Server>,
) -> Outcome {
    let mut caller = Caller::of(ctx);
    let mut call = TableCall { ctx, spelling, command, caller: &mut caller };
    match with(|engine| Some(engine.begin(&mut call))) {
        None => Reply::default().into(),
        Some(Begun::Done(answer)) => answer.into(),
        Some(Begun::BeforeCommand(before)) => {
            let words = || call::kept(arguments.iter());
            let verdict =
                before_command::of_table_command(ctx, &before, command.purpose(), call.caller, Args::Live(&words));
            let subject = verdict.is_ok().then_some(before.subject);
            Outcome { answer: with(|engine| engine.begin_cleared(&mut call, verdict)), subject }
        }
    }
}
