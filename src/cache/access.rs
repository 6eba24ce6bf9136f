//! Access: what a command does with keys, as the ACL is asked about it.

use std::ffi::CStr;

/// What is about to be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Its value is read.
    Read,
    /// It is written.
    Write,
    /// It is removed.
    Delete,
}

/// What somebody wants keys for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose {
    /// The command that wants them, by its full name.
    pub command: &'static CStr,
    /// What it does with them.
    pub access: Access,
}

impl Purpose {
    /// The command's name as text.
    pub const fn name(self) -> &'static str {
        match self.command.to_str() {
            Ok(name) => name,
            Err(_) => "",
        }
    }

    /// Whether it changes the cache.
    pub const fn is_write(self) -> bool {
        !matches!(self.access, Access::Read)
    }
}
