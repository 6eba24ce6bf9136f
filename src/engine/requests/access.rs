//! Access: who may do what with which key. The plugins decide.

use std::ffi::CStr;

use crate::cache::{Access, Error, ErrorKind, Purpose};
use crate::engine::catalog::lookup::with_scratch;
use crate::engine::host::{Callback, Host};
use crate::engine::queries::Asked;
use crate::engine::{
    resolve_key, Caller, Engine, LoadedRow, ResolvedKey, Store, StoreKey, Table, TableCall, TableCommand,
};

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
        | ErrorKind::TryAgain
        | ErrorKind::Miss
        | ErrorKind::Vetoed(_) => false,
    }
}

/// What the server's ACL is asked about.
enum AclKey<'k, K> {
    /// The cache key itself.
    Same(&'k K),
    /// The cache key without its epoch.
    Other(K),
}

impl<K> AclKey<'_, K> {
    fn key(&self) -> &K {
        match self {
            Self::Same(key) => key,
            Self::Other(key) => key,
        }
    }
}

impl<H: Host> Engine<H> {
    /// `NOPERM` unless the ACL lets `user` do that with all of `keys`, each a cache key or what many of them start with.
    pub fn may_access(
        &self,
        ctx: H::Context<'_>,
        user: &H::User,
        purpose: Purpose,
        keys: &[&H::Key],
    ) -> Result<(), Error> {
        ctx.may_access(&self.plugins, self.settings.get(), user, keys, purpose)
    }

    /// The same for the row that a load brought, where it came under another key than the one asked for.
    pub fn check_own_key(
        &self,
        ctx: H::Context<'_>,
        user: &H::User,
        loaded: &LoadedRow,
        purpose: Purpose,
    ) -> Result<(), Error> {
        let own_key = loaded.acl_key.as_ref().map(|key| ctx.key(key));
        own_key.map_or(Ok(()), |key| self.may_access(ctx, user, purpose, &[&key]))
    }

    /// The row that the lookup key `json` names, if the caller may do that with it. `NOPERM`, `ERR`, `PGNOCOLUMN`, `PGBADVALUE`.
    pub fn checked_key(
        &self,
        ctx: H::Context<'_>,
        caller: &Caller<H>,
        purpose: Purpose,
        table: &Table,
        json: &[u8],
    ) -> Result<ResolvedKey<H::Key>, Error> {
        let resolved_key = resolve_key(self, table, json)?;
        let key = self.acl_key(table, &resolved_key);
        self.may_access(ctx, &caller.user, purpose, &[key.key()])?;
        drop(key);
        Ok(resolved_key)
    }

    /// The same for all of `resolved_key`.
    pub fn check_all(
        &self,
        ctx: H::Context<'_>,
        caller: &Caller<H>,
        purpose: Purpose,
        table: &Table,
        resolved_key: &[ResolvedKey<H::Key>],
    ) -> Result<(), Error> {
        let keys: Vec<_> = resolved_key.iter().map(|one| self.acl_key(table, one)).collect();
        let keys: Vec<_> = keys.iter().map(AclKey::key).collect();
        self.may_access(ctx, &caller.user, purpose, &keys)
    }

    /// `error`, the answer to a command on a table, or `NOPERM` in its place where it tells what there is and the caller may
    /// not use such keys: names cannot be probed.
    pub fn hide(&self, call: &TableCall<'_, '_, H, impl TableCommand<H> + ?Sized>, error: Error) -> Error {
        if tells_what_there_is(error.kind()) {
            self.denied(call).unwrap_or(error)
        } else {
            error
        }
    }

    /// `NOPERM` for whoever may not use the keys that a command names.
    pub fn denied(&self, call: &TableCall<'_, '_, H, impl TableCommand<H> + ?Sized>) -> Option<Error> {
        let keys = call.command.keys().bytes();
        let key = match self.catalog.tables.find(call.spelling) {
            Some(table) => [&table.acl_prefix, keys].concat(),
            None => [self.settings.get().cache_prefix.as_bytes(), call.spelling, b":", keys].concat(),
        };
        let purpose = call.command.purpose();
        self.may_access(call.ctx, &call.caller.user, purpose, &[&H::Key::copy(&key)]).err()
    }

    /// The same for a query that is not known, where the error tells what there is.
    pub fn hide_query(
        &self,
        ctx: H::Context<'_>,
        asked: &Asked,
        command: &'static CStr,
        caller: &Caller<H>,
        error: Error,
    ) -> Error {
        if !tells_what_there_is(error.kind()) {
            return error;
        }
        let key = ctx.key(asked.key_by_name(&self.settings.get().cache_prefix).as_bytes());
        let purpose = Purpose { command, access: Access::Read };
        self.may_access(ctx, &caller.user, purpose, &[&key]).err().unwrap_or(error)
    }

    /// The cache key of the row that `resolved_key` names, without its table's epoch. Where there is none it is the same, and
    /// nothing is made.
    fn acl_key<'k>(&self, table: &Table, resolved_key: &'k ResolvedKey<H::Key>) -> AclKey<'k, H::Key> {
        if table.is_acl_prefix(resolved_key.prefix_len) {
            return AclKey::Same(&resolved_key.cache_key);
        }
        with_scratch(self, |bytes| {
            bytes.extend_from_slice(&table.acl_prefix);
            bytes.extend_from_slice(resolved_key.lookup_key());
            AclKey::Other(H::Key::copy(bytes))
        })
    }
}
