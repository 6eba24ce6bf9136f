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

/// The name of a command of ours as text: all of them are ASCII.
pub const fn command_name(name: &'static CStr) -> &'static str {
    match name.to_str() {
        Ok(name) => name,
        Err(_) => "",
    }
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
        command_name(self.command)
    }

    /// Whether it changes the cache.
    pub const fn is_write(self) -> bool {
        !matches!(self.access, Access::Read)
    }
}
