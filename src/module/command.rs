//! Commands: when plugins may refuse one, and how its end is told.

use super::before_command;
use super::current::with;
use crate::cache::{outcome, Answer, Timings};
use crate::clock::Tick;
use crate::plugins::call;
use crate::plugins::call::{Args, Call, CommandEnd};
use crate::plugins::subject::Subject;
use crate::server::command::Handler;
use crate::server::{Arguments, Context, Spec};

/// What a command comes to in its own call, and what it was about where plugins wanted to know.
pub type Outcome = outcome::Outcome<Box<Subject>>;

/// When the plugins that may refuse a command are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginCheck {
    /// Before it runs.
    AtOnce,
    /// By the command itself: only then is it known what it is about.
    OnceItsTableIsKnown,
    /// Never: it takes back what refuses everything.
    Never,
}

/// A command of ours.
pub trait Command {
    /// What it is called and takes.
    const SPEC: Spec;

    /// What its HELP prints: each way to call it, then what that does. Empty when it has no HELP.
    const HELP: &'static [&'static str] = &[];

    /// When those are asked who may refuse it. A command about rows asks once it knows which.
    fn plugin_check(_: Arguments<'_>) -> PluginCheck {
        if const { Self::SPEC.names_rows() } {
            PluginCheck::OnceItsTableIsKnown
        } else {
            PluginCheck::AtOnce
        }
    }

    /// Runs it. `arguments` are those after the name; their number fits the spec.
    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome;
}

impl<C: Command> Handler for C {
    const SPEC: Spec = <C as Command>::SPEC;
    const HELP: &'static [&'static str] = <C as Command>::HELP;
    type Subject = Box<Subject>;

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        if C::plugin_check(arguments) == PluginCheck::AtOnce {
            if let Err(refusal) = before_command::of_command(ctx, &<C as Command>::SPEC, arguments) {
                return refusal.into();
            }
        }
        <C as Command>::run(ctx, arguments)
    }

    fn end(ctx: Context<'_>, arguments: Arguments<'_>, began: Tick, outcome: &mut Outcome) {
        // Worked out once, by the compiler.
        let (name, is_write) = const { (<C as Command>::SPEC.name(), <C as Command>::SPEC.is_write()) };
        end(ctx, name, is_write, arguments, began, outcome);
    }
}

/// Tells of the command's end, or, when its client waits, keeps what is to be told then.
fn end(
    ctx: Context<'_>,
    command: &'static str,
    is_write: bool,
    arguments: Arguments<'_>,
    began: Tick,
    outcome: &mut Outcome,
) {
    let keep = || call::kept(arguments.iter());
    let client = ctx.client_id();
    with(|engine| match &outcome.answer {
        Answer::Blocked(waiter) => {
            let timings = Timings { main_us: began.elapsed_us(), ..Timings::default() };
            let arguments = keep();
            let subject = outcome.subject.take();
            let call = Call { command, began, arguments, is_write, client, subject, timings, resumed: None };
            engine.remember_call(*waiter, call);
        }
        Answer::Now(reply) => {
            let error = reply.error_code();
            let ended = CommandEnd {
                command,
                is_write,
                client,
                subject: outcome.subject.as_deref(),
                at_s: engine.now_s(),
                duration_us: began.elapsed_us(),
                timings: None,
                error: error.as_deref(),
                arguments: Args::Live(&keep),
            };
            engine.emit_ended(ctx, &ended);
        }
    });
}
