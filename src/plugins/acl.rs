//! Access control: the server's own ACL, asked for the cache key of every row.

use super::plugin::{EventContext, Plugin};
use crate::cache::{Error, Purpose};
use crate::server::acl::AclWords;
use crate::server::{Text, User};
use crate::settings::{EventType, EventTypes, PluginName, Settings};

/// Lets the server say who may do what with which cache key.
#[derive(Debug, Default)]
pub struct Acl {
    words: AclWords,
}

impl Plugin for Acl {
    fn name(&self) -> PluginName {
        PluginName::Acl
    }

    fn subscribes_to(&self, _: &Settings) -> EventTypes {
        EventType::Access.into()
    }

    fn may_access(
        &self,
        context: EventContext<'_>,
        user: &User,
        keys: &[&Text],
        purpose: Purpose,
    ) -> Result<(), Error> {
        user.check(context.ctx, keys, purpose, &self.words)
    }
}
