//! `PGCACHE.ANNOUNCE hooks|queries|query-changes <sha256>|none`, `PGCACHE.ANNOUNCE progress <progress and source>` and
//! `PGCACHE.ANNOUNCE imports <slots>|none`: what a master tells its replicas. Nobody else may send it.

use crate::cache::{Error, ErrorKind, Reply};
use crate::engine::freshness::slot_imports::IMPORTS;
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
        summary: c"Tells replicas which hooks and queries are their master's, how far it has applied changes, and which slots it imports; sent by masters alone",
        complexity: c"O(N) for N hooks or queries, or N keys that await removal",
        arguments: &[
            Argument::required(c"hooks|queries|query-changes|progress|imports", ArgumentKind::Text),
            Argument::required(c"said", ArgumentKind::Text),
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
        let (subject, said) = (arguments.required(0), arguments.required(1));
        // What a later version may say more is none of an error.
        if subject == announcements::PROGRESS.as_bytes() {
            if let Some((progress, source)) = announcements::progress(said) {
                module::with(|engine| engine.progress_announced(ctx, progress, source));
            }
        } else if subject == IMPORTS.as_bytes() {
            module::with(|engine| engine.imports_announced(said));
        } else if let Some((name, said)) = RecordName::named(subject).zip(announcements::said(said)) {
            module::with(|engine| engine.record_announced(ctx, name, said));
        }
        Reply::Ok.into()
    }
}
