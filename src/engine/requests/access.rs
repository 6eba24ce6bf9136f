//! Access: who may do what with which key. The plugins decide.

use std::ffi::CStr;

use crate::cache::{Error, ErrorKind};
use crate::engine::catalog::lookup::with_scratch;
use crate::engine::queries::Asked;
use crate::engine::{Caller, Engine, LoadedRow, ResolvedKey, Table, TableCommand};
use crate::server::{Access, Context, Purpose, Text, User};

/// Whether such errors differ with what tables, columns and types there are.
pub fn tells_what_there_is(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Malformed
        | ErrorKind::NoTable
        | ErrorKind::NoColumn
        | ErrorKind::NotUnique
        | ErrorKind::BadValue
        | ErrorKind::Postgres(_) => true,
        // Whoever was refused has not been told anything.
        ErrorKind::Denied
        | ErrorKind::Down
        | ErrorKind::Timeout
        | ErrorKind::Busy
        | ErrorKind::ReadOnly
        | ErrorKind::Miss
        | ErrorKind::Vetoed(_) => false,
    }
}

/// What the server's ACL is asked about.
enum AclKey<'k> {
    /// The cache key itself.
    Same(&'k Text),
    /// The cache key without its generation.
    Other(Text),
}

impl AclKey<'_> {
    fn text(&self) -> &Text {
        match self {
            Self::Same(text) => text,
            Self::Other(text) => text,
        }
    }
}

impl Engine {
    /// `NOPERM` unless `user` may do `access` by `command`, its full name, with all of `keys`, each a cache key or
    /// what many of them start with.
    pub fn may_access(
        &self,
        ctx: Context<'_>,
        user: &User,
        command: &'static CStr,
        keys: &[&Text],
        access: Access,
    ) -> Result<(), Error> {
        self.plugins.may_access(self.event_context(ctx), user, keys, Purpose { command, access })
    }

    /// The same for the row that a load brought, where it came under another key than the one asked for.
    pub fn check_own_key(
        &self,
        ctx: Context<'_>,
        user: &User,
        loaded: &LoadedRow,
        command: &'static CStr,
        access: Access,
    ) -> Result<(), Error> {
        let own_key = loaded.acl_key.as_ref().map(|key| Text::new(key));
        own_key.map_or(Ok(()), |key| self.may_access(ctx, user, command, &[&key], access))
    }

    /// The same for the row that `resolved_key` names.
    pub fn check(
        &self,
        ctx: Context<'_>,
        caller: &Caller,
        command: &'static CStr,
        table: &Table,
        resolved_key: &ResolvedKey,
        access: Access,
    ) -> Result<(), Error> {
        let key = self.acl_key(table, resolved_key);
        self.may_access(ctx, &caller.user, command, &[key.text()], access)
    }

    /// The same for all of `resolved_key`.
    pub fn check_all(
        &self,
        ctx: Context<'_>,
        caller: &Caller,
        command: &'static CStr,
        table: &Table,
        resolved_key: &[ResolvedKey],
        access: Access,
    ) -> Result<(), Error> {
        let keys: Vec<_> = resolved_key.iter().map(|one| self.acl_key(table, one)).collect();
        let keys: Vec<_> = keys.iter().map(|key| key.text()).collect();
        self.may_access(ctx, &caller.user, command, &keys, access)
    }

    /// `answer` to a command on the table that a client calls `spelling`. An error that tells what there is becomes `NOPERM`
    /// for whoever may not use such keys: names cannot be probed.
    pub fn hide<T>(
        &mut self,
        ctx: Context<'_>,
        spelling: &[u8],
        command: &dyn TableCommand,
        caller: &Caller,
        answer: Result<T, Error>,
    ) -> Result<T, Error> {
        answer.map_err(|error| match error.kind() {
            kind if tells_what_there_is(kind) => self.hidden(ctx, spelling, command, caller, error),
            _ => error,
        })
    }

    /// `error`, or `NOPERM` in its place for whoever may not use the keys that `command` names.
    pub fn hidden(
        &mut self,
        ctx: Context<'_>,
        spelling: &[u8],
        command: &dyn TableCommand,
        caller: &Caller,
        error: Error,
    ) -> Error {
        let key = match self.catalog.tables.find(spelling) {
            Some(table) => [&table.acl_prefix, command.keys().bytes()].concat(),
            None => {
                [self.settings.get().cache_prefix.as_bytes(), spelling, b":", command.keys().bytes()].concat()
            }
        };
        let (name, access) = (command.spec().name, command.spec().access());
        self.may_access(ctx, &caller.user, name, &[&Text::new(&key)], access).err().unwrap_or(error)
    }

    /// The same for a query that is not known, where the error tells what there is.
    pub fn hide_query(
        &self,
        ctx: Context<'_>,
        asked: &Asked,
        command: &'static CStr,
        caller: &Caller,
        error: Error,
    ) -> Error {
        if !tells_what_there_is(error.kind()) {
            return error;
        }
        let key = Text::new(asked.key_by_name(&self.settings.get().cache_prefix).as_bytes());
        self.may_access(ctx, &caller.user, command, &[&key], Access::Read).err().unwrap_or(error)
    }

    /// The cache key of the row that `resolved_key` names, without its table's generation. Where there is none it is the same, and
    /// nothing is made.
    fn acl_key<'k>(&self, table: &Table, resolved_key: &'k ResolvedKey) -> AclKey<'k> {
        if table.is_acl_prefix(resolved_key.prefix_len) {
            return AclKey::Same(&resolved_key.cache_key);
        }
        with_scratch(self, |bytes| {
            bytes.extend_from_slice(&table.acl_prefix);
            bytes.extend_from_slice(resolved_key.lookup_key());
            AclKey::Other(Text::new(bytes))
        })
    }
}
