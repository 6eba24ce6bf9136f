//! `PGCACHE.ANNOUNCE hooks|queries <sha256>|none`: what a master tells its replicas. Nobody else may send it.

use crate::cache::{Error, ErrorKind, Reply};
use crate::engine::records::announcements;
use crate::engine::records::name::RecordName;
use crate::module;
use crate::module::{Command, Outcome, PluginCheck};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

/// The command.
#[derive(Debug)]
pub struct Announce;

impl Command for Announce {
    const SPEC: Spec = Spec {
        name: c"pgcache.announce",
        flags: c"admin",
        categories: c"admin dangerous",
        accesses: &[],
        summary: c"Tells replicas which hooks and queries are their master's; sent by masters alone",
        complexity: c"O(N) for N hooks or queries",
        arguments: &[
            Argument::required(c"hooks|queries|query-changes", ArgumentKind::Text),
            Argument::required(c"sha256", ArgumentKind::Text),
        ],
    };

    /// What the master says has happened.
    fn plugin_check(_: Arguments<'_>) -> PluginCheck {
        PluginCheck::Never
    }

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        if !ctx.flags().is_from_master() {
            return Error::new(ErrorKind::Denied, "only a master sends PGCACHE.ANNOUNCE, to its replicas").into();
        }
        let name = RecordName::named(arguments.required(0));
        // What a later version may say more is none of an error.
        if let Some((name, said)) = name.zip(announcements::said(arguments.required(1))) {
            module::with(|engine| engine.record_announced(ctx, name, said));
        }
        Reply::Ok.into()
    }
}
