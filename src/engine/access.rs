//! Access: who may do what with which key. The plugins decide.

use crate::cache::error::Error;
use crate::server::acl::{Access, User};
use crate::server::context::Context;
use crate::server::text::Text;

use super::caller::Caller;
use super::lookup::{with_scratch, Located};
use super::state::Engine;
use super::tables::Table;

impl Engine {
    /// `NOPERM` unless `user` may do `access` with all of `keys`, each a cache key or what many of them start with.
    pub fn may_access(
        &mut self,
        ctx: Context<'_>,
        user: &User,
        keys: &[&Text],
        access: Access,
    ) -> Result<(), Error> {
        let settings = self.settings.get();
        self.plugins.may_access(ctx, &settings, user, keys, access)
    }

    /// The same for the row that `located` names.
    pub fn check(
        &mut self,
        ctx: Context<'_>,
        caller: &Caller,
        table: &Table,
        located: &Located,
        access: Access,
    ) -> Result<(), Error> {
        let key = with_scratch(self, |bytes| table.acl_key(&located.cache_key, located.prefix_len, bytes));
        self.may_access(ctx, &caller.user, &[key.text()], access)
    }

    /// The same for all of `located`.
    pub fn check_all(
        &mut self,
        ctx: Context<'_>,
        caller: &Caller,
        table: &Table,
        located: &[Located],
        access: Access,
    ) -> Result<(), Error> {
        let keys: Vec<_> = with_scratch(self, |bytes| {
            located.iter().map(|one| table.acl_key(&one.cache_key, one.prefix_len, bytes)).collect()
        });
        let keys: Vec<_> = keys.iter().map(|key| key.text()).collect();
        self.may_access(ctx, &caller.user, &keys, access)
    }
}
