//! Publishing on the server's channels.

use super::context::Context;
use super::text::Text;

/// Publishes `message` on `channel` to whoever listens, on this server and through the cluster's bus.
pub fn publish(ctx: Context<'_>, channel: &[u8], message: &[u8]) {
    let (channel, message) = (Text::new(channel), Text::new(message));
    // SAFETY: a valid context on the main thread and two live strings.
    unsafe { api!(RedisModule_PublishMessage)(ctx.as_raw(), channel.as_raw(), message.as_raw()) };
}
