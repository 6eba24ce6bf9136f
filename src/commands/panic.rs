//! `PGCACHE.PANIC COMMAND|WORKER|CALLBACK`: panics there. Registered only with `test_hooks yes`, for the
//! project's own tests of what a panic must not do: end the server.

use crate::cache::{Error, Reply};
use crate::module;
use crate::module::{Command, Outcome};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};
use crate::workers::Job;

/// The command.
#[derive(Debug)]
pub struct Panic;

impl Command for Panic {
    const SPEC: Spec = Spec {
        name: c"pgcache.panic",
        flags: c"admin",
        categories: c"admin dangerous",
        accesses: &[],
        summary: c"Panics, for the project's own tests",
        complexity: c"O(1)",
        arguments: &[Argument::required(c"where", ArgumentKind::Text)],
    };

    fn run(_: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        match arguments.required(0).to_ascii_uppercase().as_slice() {
            b"COMMAND" => panic!("asked for by a test"),
            b"CALLBACK" => {
                module::with(|engine| engine.panic_at_next_tick());
                Reply::Ok.into()
            }
            b"WORKER" => module::with(|engine| {
                let pushed = engine.sources().get(0).map(|active| active.queue.push_job(Job::Panic, usize::MAX));
                if matches!(pushed, Some(Ok(()))) {
                    Reply::Ok
                } else {
                    Reply::default()
                }
            })
            .into(),
            _ => Error::malformed("COMMAND, WORKER or CALLBACK").into(),
        }
    }
}
