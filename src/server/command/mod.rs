//! Commands: how the server knows them, and what is done when it calls one.

mod arguments;
mod description;
mod spec;

use std::os::raw::c_int;
use std::slice;

use redis_module::raw::{self, RedisModuleCtx, RedisModuleString};

use crate::cache::outcome::{Answer, Outcome};
pub use arguments::Arguments;
pub use spec::{Argument, ArgumentKind, Spec};

use super::context::Context;
use super::guard::guard;
use super::{acl, categories, cluster};
use crate::cache::key::IN_A_SHELL;
use crate::cache::Error;
use crate::clock::Tick;
use description::set_info;

/// What is called for a command.
pub trait Handler {
    /// What the command is called and takes.
    const SPEC: Spec;

    /// What its HELP prints: each way to call it, then what that does. Empty when it has no HELP.
    const HELP: &'static [&'static str];

    /// What [`run`](Self::run) passes on to [`end`](Self::end), besides the answer.
    type Subject;

    /// Runs the command. `arguments` are those after the name; their number fits the spec.
    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome<Self::Subject>;

    /// Called after each call that `began` then, once its reply was sent, if it has one. May take the subject out.
    fn end(ctx: Context<'_>, arguments: Arguments<'_>, began: Tick, outcome: &mut Outcome<Self::Subject>);
}

/// How to register a command.
#[derive(Debug, Clone, Copy)]
pub struct Registration {
    /// What it is called and takes.
    pub spec: Spec,
    /// What its HELP prints.
    pub help: &'static [&'static str],
    register: fn(Context<'_>) -> Result<(), String>,
}

impl Registration {
    /// That of `C`.
    pub fn of<C: Handler>() -> Self {
        Self { spec: C::SPEC, help: C::HELP, register: register::<C> }
    }

    /// Registers it during load. Says what the server refused.
    pub(super) fn register(&self, ctx: Context<'_>) -> Result<(), String> {
        (self.register)(ctx)
    }
}

/// Registers `C` during load. Says which command the server refused.
fn register<C: Handler>(ctx: Context<'_>) -> Result<(), String> {
    const { assert!(C::SPEC.accesses.is_empty() || C::SPEC.min_arity() <= acl::WORDS_MIN) };
    let spec = C::SPEC;
    let refused = |what: &str| format!("the server refused {what} {}", spec.name.to_string_lossy());
    // SAFETY: a valid context during load and C strings that the server copies. No key positions: the
    // key specs below say what is to be said.
    let status = unsafe {
        api!(RedisModule_CreateCommand)(
            ctx.as_raw(),
            spec.name.as_ptr(),
            Some(entry::<C>),
            spec.flags.as_ptr(),
            0,
            0,
            0,
        )
    };
    if status != raw::REDISMODULE_OK as c_int {
        return Err(refused("command"));
    }
    // SAFETY: registered just now.
    let command = unsafe { api!(RedisModule_GetCommand)(ctx.as_raw(), spec.name.as_ptr()) };
    set_categories(command, &spec);
    let is_cluster = ctx.flags().is_cluster();
    acl::ask_together(!is_cluster);
    if set_info(command, &spec, is_cluster) {
        Ok(())
    } else {
        Err(refused("the description of"))
    }
}

/// Redis 7.0 has no categories for modules' commands: there they are left out.
fn set_categories(command: *mut raw::RedisModuleCommand, spec: &Spec) {
    // SAFETY: read of a pointer that is set once at load.
    if let Some(set) = unsafe { raw::RedisModule_SetCommandACLCategories } {
        // SAFETY: a command of ours during load, and a C string.
        unsafe { set(command, spec.categories.as_ptr()) };
    }
}

unsafe extern "C" fn entry<C: Handler>(
    ctx: *mut RedisModuleCtx,
    argv: *mut *mut RedisModuleString,
    argc: c_int,
) -> c_int {
    // SAFETY: the server passes a valid context and `argc` arguments, the command's name first.
    let (ctx, strings) = unsafe { (Context::new(ctx), slice::from_raw_parts(argv, argc.max(0) as usize)) };
    let began = Tick::now();
    let arguments = Arguments { strings: strings.get(1..).unwrap_or_default() };
    let routing = const { C::SPEC.routing() }.and_then(|index| arguments.get(index));
    cluster::in_command_on(routing, || answer::<C>(ctx, arguments, began, strings.len()));
    raw::REDISMODULE_OK as c_int
}

/// Runs the command, which came in so many words, sends its reply if there is one, and tells of its end.
fn answer<C: Handler>(ctx: Context<'_>, arguments: Arguments<'_>, began: Tick, words: usize) {
    let mut outcome = if C::SPEC.accepts(words) {
        let failed = || Error::malformed("internal error, see the server's log").into();
        guard("a command", || run::<C>(ctx, arguments)).unwrap_or_else(failed)
    } else {
        wrong_arity(&C::SPEC, words).into()
    };
    if let Answer::Now(reply) = &outcome.answer {
        guard("a reply", || reply.send(ctx));
    }
    guard("the end of a command", || C::end(ctx, arguments, began, &mut outcome));
}

fn run<C: Handler>(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome<C::Subject> {
    if const { C::SPEC.is_admin() } {
        if let Err(refusal) = categories::check(ctx, &C::SPEC) {
            return refusal.into();
        }
    }
    C::run(ctx, arguments)
}

/// JSON that a shell has cut in pieces is too many arguments.
fn wrong_arity(spec: &Spec, count: usize) -> Error {
    let text = format!("wrong number of arguments for '{}' command", spec.name());
    if spec.names_rows() && count > spec.min_arity() {
        return Error::malformed(format!("{text}: JSON is one argument; {IN_A_SHELL} '{{\"id\":1}}'"));
    }
    Error::malformed(text)
}
