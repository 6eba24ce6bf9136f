//! Publishing on the server's channels.

use super::context::Context;
use super::text::Text;

/// Publishes `message` on `channel`. Returns how many clients of this server listen.
pub fn publish(ctx: Context<'_>, channel: &Text, message: &[u8]) -> usize {
    let message = Text::new(message);
    // SAFETY: a valid context on the main thread and two live strings.
    let listeners = unsafe { api!(RedisModule_PublishMessage)(ctx.as_raw(), channel.as_raw(), message.as_raw()) };
    usize::try_from(listeners).unwrap_or_default()
}
