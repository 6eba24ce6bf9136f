//! Records: what the module keeps among the entries, because it is saved and replicated with them.

use crate::server::context::Context;
use crate::server::keyspace::{self, Refusal, Stored};
use crate::server::text::Text;

/// What is known of one record.
#[derive(Debug, Default)]
pub struct Record {
    /// Whether it has been read or written since the module was loaded.
    is_read: bool,
    /// Whether it may be missing from the keyspace, or differ from what is known.
    is_due: bool,
}

impl Record {
    /// It may be gone: what the memory knows is to be written, if it knows anything.
    pub fn lose(&mut self) {
        self.is_due |= self.is_read;
    }

    /// Whether the memory knows what it says.
    pub fn is_read(&self) -> bool {
        self.is_read
    }

    /// Whether it is to be written.
    pub fn is_due(&self) -> bool {
        self.is_due
    }

    /// What it says, by `parse`; `None`: nothing.
    pub fn read<T>(
        &mut self,
        ctx: Context<'_>,
        key: &Text,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        *self = Self { is_read: true, is_due: false };
        keyspace::read(ctx, key, |stored| match stored {
            Stored::Bytes(bytes) => parse(bytes),
            Stored::Nothing | Stored::OtherType => None,
        })
    }

    /// Writes it; `None`: there is nothing to be kept.
    pub fn save(&mut self, ctx: Context<'_>, key: &Text, text: Option<&str>) {
        let saved = match text {
            Some(text) => keyspace::store(ctx, key, text.as_bytes(), None),
            None => keyspace::remove(ctx, key),
        };
        // What does not fit now is tried again.
        *self = Self { is_read: true, is_due: matches!(saved, Err(Refusal::Paused | Refusal::Refused)) };
    }
}
