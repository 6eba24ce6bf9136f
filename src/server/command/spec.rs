//! Specs: what the server and its users are told of a command, and of its arguments.

use std::ffi::CStr;
use std::os::raw::c_int;

use crate::cache::access::command_name;
use crate::cache::{Access, Purpose};

/// What kind of value an argument takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// A lookup key, or several: what a cluster client routes by.
    LookupKey,
    /// Any text, by which a cluster client routes the command.
    Routing,
    /// A fixed word.
    Token,
    /// Any text, behind this fixed word.
    Behind(&'static CStr),
}

/// One argument, for COMMAND DOCS.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    /// Its name.
    pub name: &'static CStr,
    /// What it takes.
    pub kind: ArgumentKind,
    /// Whether it may be left out.
    pub is_optional: bool,
    /// Whether more of its kind may follow; only the last one may.
    pub is_repeated: bool,
}

impl Argument {
    /// A required argument.
    pub const fn required(name: &'static CStr, kind: ArgumentKind) -> Self {
        Self { name, kind, is_optional: false, is_repeated: false }
    }

    /// Any number of arguments, at the end.
    pub const fn many(name: &'static CStr, kind: ArgumentKind) -> Self {
        Self { name, kind, is_optional: true, is_repeated: true }
    }

    /// An argument that may be left out.
    pub const fn optional(name: &'static CStr, kind: ArgumentKind) -> Self {
        Self { name, kind, is_optional: true, is_repeated: false }
    }

    /// How many words it takes.
    fn words(&self) -> usize {
        1 + usize::from(matches!(self.kind, ArgumentKind::Behind(_)))
    }
}

/// What the server and its users are told of a command.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Full name, `pgcache.read`.
    pub name: &'static CStr,
    /// The server's command flags, separated by spaces.
    pub flags: &'static CStr,
    /// ACL categories for servers that have them for modules.
    pub categories: &'static CStr,
    /// What it does with cache keys.
    pub accesses: &'static [Access],
    /// One line.
    pub summary: &'static CStr,
    /// Time complexity.
    pub complexity: &'static CStr,
    /// Arguments in order.
    pub arguments: &'static [Argument],
}

impl Spec {
    /// The name as text.
    pub const fn name(&self) -> &'static str {
        command_name(self.name)
    }

    /// What the ACL is asked about: this command, and what it does with the keys that it names.
    pub fn purpose(&self) -> Purpose {
        Purpose { command: self.name, access: self.accesses.first().copied().unwrap_or(Access::Read) }
    }

    /// Whether it changes the cache: its first flag says so.
    pub const fn is_write(&self) -> bool {
        matches!(self.flags.to_bytes(), [b'w', b'r', b'i', b't', b'e', ..])
    }

    /// Whether only administrators may use it: its first category says so.
    pub const fn is_admin(&self) -> bool {
        matches!(self.categories.to_bytes(), [b'a', b'd', b'm', b'i', b'n', ..])
    }

    /// Whether one of its arguments is a lookup key, or several.
    pub const fn names_rows(&self) -> bool {
        let mut index = 0;
        while index < self.arguments.len() {
            if matches!(self.arguments[index].kind, ArgumentKind::LookupKey) {
                return true;
            }
            index += 1;
        }
        false
    }

    /// Which of its arguments, from 0, says where in a cluster it is sent.
    pub(super) const fn routing(&self) -> Option<usize> {
        let mut index = 0;
        while index < self.arguments.len() {
            if matches!(self.arguments[index].kind, ArgumentKind::LookupKey | ArgumentKind::Routing) {
                return Some(index);
            }
            index += 1;
        }
        None
    }

    /// How few arguments it takes, its own name included.
    pub(super) const fn min_arity(&self) -> usize {
        let (mut count, mut index) = (1, 0);
        while index < self.arguments.len() {
            count += !self.arguments[index].is_optional as usize;
            index += 1;
        }
        count
    }

    /// Whether it can be called with so many arguments, its own name included.
    pub(super) fn accepts(&self, count: usize) -> bool {
        count >= self.min_arity() && (self.is_open_ended() || count <= self.max_words())
    }

    fn max_words(&self) -> usize {
        1 + self.arguments.iter().map(Argument::words).sum::<usize>()
    }

    fn is_open_ended(&self) -> bool {
        self.arguments.last().is_some_and(|argument| argument.is_repeated)
    }

    /// As the server takes it: negative when more is allowed. It is so for whatever has keys: the server counts the words
    /// that it is asked about with several keys as well. Too many arguments are refused by [`Self::accepts`] in any case.
    pub(super) fn arity(&self) -> c_int {
        let min = self.min_arity() as c_int;
        if self.accesses.is_empty() && self.min_arity() == 1 + self.arguments.len() {
            min
        } else {
            -min
        }
    }
}
