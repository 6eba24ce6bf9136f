//! Commands of the server's that are run for hooks.

use std::ffi::CStr;
use std::slice;

use redis_module::raw::{self, RedisModuleCallReply, RedisModuleString};

use super::cluster;
use super::context::Context;
use super::keyspace::{may_write, Selected};
use super::text::Text;
use crate::cache::Refusal;

/// Calls the server's function `name` with `keys` and one argument, in database 0 and as the server itself. What it
/// writes is replicated. An error is returned as the client would see it.
pub fn function(ctx: Context<'_>, name: &str, keys: &[Box<[u8]>], argument: &str) -> Result<(), String> {
    if !keys.iter().all(|key| cluster::reaches(key)) {
        return Err("ERR a function of this cluster cannot use a key that is spelled so: see PGCACHE.INSPECT".into());
    }
    let count = keys.len().to_string();
    let mut words = vec![name.as_bytes(), count.as_bytes()];
    words.extend(keys.iter().map(|key| &**key));
    words.push(argument.as_bytes());
    run(ctx, c"FCALL", c"!Ev", &words)
}

/// Adds `event` to the stream under `key`, and keeps its `max_len` latest entries.
pub fn add_to_stream(ctx: Context<'_>, key: &str, max_len: Option<u64>, event: &str) -> Result<(), String> {
    match may_write(ctx) {
        Err(Refusal::NotMaster) => return Err("READONLY this server is a replica: its master writes".into()),
        Err(_) => return Err("PGBUSY the server is failing over or paused".into()),
        Ok(()) => {}
    }
    let max_len = max_len.map(|length| length.to_string());
    let mut words = vec![key.as_bytes()];
    if let Some(length) = &max_len {
        words.extend([&b"MAXLEN"[..], length.as_bytes()]);
    }
    words.extend([&b"*"[..], b"event", event.as_bytes()]);
    // `M`: the memory limit holds for streams as for entries.
    run(ctx, c"XADD", c"!EMv", &words)
}

/// Runs `command` in database 0. Format: `!` replicates, `E` returns errors as replies, `v` is a vector of words.
fn run(ctx: Context<'_>, command: &CStr, format: &CStr, words: &[&[u8]]) -> Result<(), String> {
    let texts: Vec<Text> = words.iter().map(|word| Text::new(word)).collect();
    let mut raws: Vec<*mut RedisModuleString> = texts.iter().map(Text::as_raw).collect();
    let _selected = Selected::new(ctx);
    let call = api!(RedisModule_Call);
    // SAFETY: the format announces a vector of live strings and their number.
    let reply = unsafe { call(ctx.as_raw(), command.as_ptr(), format.as_ptr(), raws.as_mut_ptr(), raws.len()) };
    outcome(reply)
}

fn outcome(reply: *mut RedisModuleCallReply) -> Result<(), String> {
    if reply.is_null() {
        return Err("ERR the server does not run this command here".into());
    }
    // SAFETY: a reply of our own call.
    let kind = unsafe { api!(RedisModule_CallReplyType)(reply) };
    let result = if kind == raw::REDISMODULE_REPLY_ERROR as i32 { Err(text(reply)) } else { Ok(()) };
    // SAFETY: freed once; its text has been copied.
    unsafe { api!(RedisModule_FreeCallReply)(reply) };
    result
}

fn text(reply: *mut RedisModuleCallReply) -> String {
    let mut len = 0;
    // SAFETY: a live reply of type error, whose text stays where it is until it is freed.
    let bytes = unsafe {
        let start = api!(RedisModule_CallReplyStringPtr)(reply, &mut len);
        if start.is_null() {
            &[][..]
        } else {
            slice::from_raw_parts(start.cast::<u8>(), len)
        }
    };
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}
