//! Access control: the server's own ACL, asked for the cache key of every row.

use super::part::{Part, Parts};
use super::plugin::{Moment, Plugin};
use crate::cache::error::Error;
use crate::server::acl::{Purpose, User, Words};
use crate::server::text::Text;
use crate::settings::{PluginName, Settings};

/// Lets the server say who may do what with which cache key.
#[derive(Debug, Default)]
pub struct Acl {
    words: Words,
}

impl Plugin for Acl {
    fn name(&self) -> PluginName {
        PluginName::Acl
    }

    fn parts(&self, _: &Settings) -> Parts {
        [Part::Access].into_iter().collect()
    }

    fn may_access(
        &self,
        moment: Moment<'_>,
        user: &User,
        keys: &[&Text],
        purpose: Purpose,
    ) -> Result<(), Error> {
        user.check(moment.ctx, keys, purpose, &self.words)
    }
}
