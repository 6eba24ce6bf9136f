//! Access: who may do what with which key. The plugins decide.

use crate::cache::error::Error;
use crate::server::acl::{Access, User};
use crate::server::context::Context;
use crate::server::text::Text;

use super::caller::Caller;
use super::lookup::Located;
use super::state::Engine;
use super::tables::Table;

impl Engine {
    /// `NOPERM` unless `user` may do `access` with `key`, which is a cache key or what many of them start with.
    pub fn may_access(
        &mut self,
        ctx: Context<'_>,
        user: &User,
        key: &Text,
        access: Access,
    ) -> Result<(), Error> {
        let settings = self.settings.get();
        self.plugins.may_access(ctx, &settings, user, key, access)
    }

    /// The same for the row that `located` names, whose cache key is `cache_key`.
    pub fn check(
        &mut self,
        ctx: Context<'_>,
        caller: &Caller,
        table: &Table,
        located: &Located,
        cache_key: &Text,
        access: Access,
    ) -> Result<(), Error> {
        let key = table.acl_key(cache_key, located.prefix_len);
        self.may_access(ctx, &caller.user, key.text(), access)
    }
}
