//! Replies to clients. Whatever text goes out, the protocol stays whole.

use std::ffi::CString;

use super::context::Context;
use crate::cache::{Reply, Value};

/// An error reply longer than this is cut.
const MAX_ERROR_BYTES: usize = 1024;

impl Reply {
    /// Sends it to the client of `ctx`.
    pub fn send(&self, ctx: Context<'_>) {
        match self {
            Self::Sent => {}
            Self::Ok => ok(ctx),
            Self::Nil => nil(ctx),
            Self::Bulk(bytes) => bulk(ctx, bytes),
            Self::Buffer(bytes) => bulk(ctx, bytes),
            Self::Value(value) => value.send(ctx),
            Self::Error(error) => send_error(ctx, &error.to_string()),
        }
    }
}

impl Value {
    fn send(&self, ctx: Context<'_>) {
        match self {
            Self::Nil => nil(ctx),
            Self::Bool(value) => {
                // SAFETY: a valid context.
                unsafe { api!(RedisModule_ReplyWithBool)(ctx.as_raw(), (*value).into()) };
            }
            Self::Integer(value) => {
                // SAFETY: a valid context.
                unsafe { api!(RedisModule_ReplyWithLongLong)(ctx.as_raw(), *value) };
            }
            Self::Double(value) => {
                // SAFETY: a valid context.
                unsafe { api!(RedisModule_ReplyWithDouble)(ctx.as_raw(), *value) };
            }
            Self::Text(text) => bulk(ctx, text.as_bytes()),
            Self::Bytes(bytes) => bulk(ctx, bytes),
            Self::Map(fields) => {
                // SAFETY: a valid context; as many pairs follow as announced.
                unsafe { api!(RedisModule_ReplyWithMap)(ctx.as_raw(), fields.len() as _) };
                for (name, value) in fields {
                    bulk(ctx, name.as_bytes());
                    value.send(ctx);
                }
            }
            Self::List(values) => {
                // SAFETY: a valid context; as many values follow as announced.
                unsafe { api!(RedisModule_ReplyWithArray)(ctx.as_raw(), values.len() as _) };
                values.iter().for_each(|value| value.send(ctx));
            }
        }
    }
}

/// The reply with `bytes`: sent at once, without a copy of ours, to a client that is still in its command.
pub fn of_bytes(ctx: Context<'_>, bytes: &[u8], in_command: bool) -> Reply {
    if in_command {
        bulk(ctx, bytes);
        Reply::Sent
    } else {
        Reply::Bulk(bytes.into())
    }
}

/// Sends a bulk string; the server copies `bytes` into the client's buffer.
pub fn bulk(ctx: Context<'_>, bytes: &[u8]) {
    // SAFETY: a valid context, pointer and length of a live slice.
    unsafe { api!(RedisModule_ReplyWithStringBuffer)(ctx.as_raw(), bytes.as_ptr().cast(), bytes.len()) };
}

fn ok(ctx: Context<'_>) {
    // SAFETY: a valid context and a static C string.
    unsafe { api!(RedisModule_ReplyWithSimpleString)(ctx.as_raw(), c"OK".as_ptr()) };
}

/// Sends a null.
pub fn nil(ctx: Context<'_>) {
    // SAFETY: a valid context.
    unsafe { api!(RedisModule_ReplyWithNull)(ctx.as_raw()) };
}

/// Sends an error line; its first word is the code. PostgreSQL's messages may hold anything: what would end
/// the line or the C string becomes a space.
pub fn send_error(ctx: Context<'_>, text: &str) {
    let line = error_line(text);
    // SAFETY: a valid context and a C string that the server copies.
    unsafe { api!(RedisModule_ReplyWithError)(ctx.as_raw(), line.as_ptr()) };
}

fn error_line(text: &str) -> CString {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= MAX_ERROR_BYTES).last();
    let cut = text.get(..end.unwrap_or(0)).unwrap_or_default();
    let bytes: Vec<u8> = cut.bytes().map(|byte| if byte < b' ' || byte == 0x7f { b' ' } else { byte }).collect();
    CString::new(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_line_keeps_its_letters_and_loses_what_would_break_the_protocol() {
        assert_eq!(error_line("ERR a\r\n+OK\0 \u{100}é").to_bytes(), "ERR a  +OK  \u{100}é".as_bytes());
    }

    #[test]
    fn a_long_error_line_is_cut_between_letters() {
        let line = error_line(&"é".repeat(1000));
        assert_eq!(line.to_bytes().len(), MAX_ERROR_BYTES);
        assert!(line.to_str().is_ok());
    }
}
