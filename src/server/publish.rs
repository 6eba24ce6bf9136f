//! Publishing on the server's channels.

use redis_module::raw::RedisModuleCallReply;

use super::cluster;
use super::context::Context;
use super::text::Text;

/// Publishes `message` on `channel`. Returns how many clients of this server listen.
pub fn publish(ctx: Context<'_>, channel: &Text, message: &[u8]) -> usize {
    let message = Text::new(message);
    // SAFETY: a valid context on the main thread and two live strings.
    let listeners = unsafe { api!(RedisModule_PublishMessage)(ctx.as_raw(), channel.as_raw(), message.as_raw()) };
    usize::try_from(listeners).unwrap_or_default()
}

/// Whether publishing on `channel` costs as little as it should where nobody listens. A node of a cluster sends whatever it publishes to
/// all others, so there a client of its own has to listen.
pub fn may_publish(ctx: Context<'_>, channel: &Text) -> bool {
    !cluster::is_node() || listens(ctx, channel)
}

/// Whether a client of this server listens on `channel`, or by any pattern.
fn listens(ctx: Context<'_>, channel: &Text) -> bool {
    let call = api!(RedisModule_Call);
    // SAFETY: a valid context on the main thread; the format announces a C string and a live server string.
    let by_name = || unsafe {
        number(call(ctx.as_raw(), c"PUBSUB".as_ptr(), c"cs".as_ptr(), c"NUMSUB".as_ptr(), channel.as_raw()))
    };
    // SAFETY: the same; the format announces a C string.
    let by_pattern = || unsafe { number(call(ctx.as_raw(), c"PUBSUB".as_ptr(), c"c".as_ptr(), c"NUMPAT".as_ptr())) };
    by_name() > 0 || by_pattern() > 0
}

/// The number that a reply is, or is the second element of; 0: there is none. The reply is freed.
fn number(reply: *mut RedisModuleCallReply) -> i64 {
    if reply.is_null() {
        return 0;
    }
    // SAFETY: a reply of our own call; its elements live as long as it does, and a missing one is null.
    unsafe {
        let second = api!(RedisModule_CallReplyArrayElement)(reply, 1);
        let number = api!(RedisModule_CallReplyInteger)(if second.is_null() { reply } else { second });
        api!(RedisModule_FreeCallReply)(reply);
        number
    }
}
