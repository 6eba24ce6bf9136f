//! ACL categories on Redis 7.0, which has none for modules' commands: who may not run the server's own administrative
//! commands may not run ours.

use std::os::raw::c_char;

use redis_module::raw::{self, RedisModuleCallReply};

use super::acl::User;
use super::command::Spec;
use super::context::Context;
use super::text::Text;
use crate::cache::{Error, ErrorKind};

/// `NOPERM` for an administrative command of a user who may run neither the server's counterpart nor was given this very
/// command. Servers that have categories for modules have decided already.
pub fn check(ctx: Context<'_>, spec: &Spec) -> Result<(), Error> {
    // SAFETY: read of a pointer that is set once at load.
    if unsafe { raw::RedisModule_SetCommandACLCategories }.is_some() {
        return Ok(());
    }
    let user = User::of(ctx);
    let is_allowed = user.may_run(counterpart(spec))
        || user.name_text().is_some_and(|name| is_granted_by_name(ctx, name, spec.name()));
    if is_allowed {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Denied,
        format!("this user's ACL allows no administrative commands: grant +{} by name", spec.name()),
    ))
}

/// What stands in `@admin` and `@dangerous` too, and is as far-reaching.
fn counterpart(spec: &Spec) -> &'static [&'static [u8]] {
    match spec.name() {
        "pgcache.stats" | "pgcache.slowlog" => &[b"slowlog", b"get"],
        _ => &[b"config", b"set"],
    }
}

/// Whether the rules of the user called `name`, as ACL GETUSER tells them, name this command.
fn is_granted_by_name(ctx: Context<'_>, name: &Text, command: &str) -> bool {
    let call = api!(RedisModule_Call);
    let (acl, format, sub): (&std::ffi::CStr, _, *const c_char) = (c"ACL", c"cs", c"GETUSER".as_ptr());
    // SAFETY: a valid context, and the arguments that the format announces.
    let reply = unsafe { call(ctx.as_raw(), acl.as_ptr(), format.as_ptr(), sub, name.as_raw()) };
    let rule = format!("+{command}");
    let is_granted = !reply.is_null() && names(reply, &rule);
    if !reply.is_null() {
        // SAFETY: ours, freed once, with everything in it.
        unsafe { api!(RedisModule_FreeCallReply)(reply) };
    }
    is_granted
}

/// Whether the rules, or those of one of their selectors, hold `rule` among the commands.
fn names(rules: *mut RedisModuleCallReply, rule: &str) -> bool {
    let fields: Vec<_> = elements(rules).collect();
    fields.chunks_exact(2).any(|field| match text(field[0]) {
        b"commands" => text(field[1]).split(|byte| *byte == b' ').any(|word| word == rule.as_bytes()),
        b"selectors" => elements(field[1]).any(|selector| names(selector, rule)),
        _ => false,
    })
}

fn elements(array: *mut RedisModuleCallReply) -> impl Iterator<Item = *mut RedisModuleCallReply> {
    // SAFETY: a live reply.
    let is_array = unsafe { api!(RedisModule_CallReplyType)(array) } == raw::REDISMODULE_REPLY_ARRAY as i32;
    // SAFETY: a live reply.
    let length = if is_array { unsafe { api!(RedisModule_CallReplyLength)(array) } } else { 0 };
    // SAFETY: a live array, and a position in it.
    (0..length).map(move |index| unsafe { api!(RedisModule_CallReplyArrayElement)(array, index) })
}

fn text<'r>(reply: *mut RedisModuleCallReply) -> &'r [u8] {
    let mut length = 0;
    // SAFETY: a live reply; null unless it is a text.
    let bytes = unsafe { api!(RedisModule_CallReplyStringPtr)(reply, &mut length) };
    if bytes.is_null() {
        return &[];
    }
    // SAFETY: so many bytes, which live as long as the reply, and its users here do not outlive it.
    unsafe { std::slice::from_raw_parts(bytes.cast(), length) }
}
