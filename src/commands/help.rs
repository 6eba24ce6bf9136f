//! `PGCACHE.HELP`: the commands, a line each.

use crate::cache::{Reply, Value};
use crate::module::{Command, Outcome};
use crate::server::{ArgumentKind, Arguments, Context, Spec};

/// The command.
#[derive(Debug)]
pub struct Help;

impl Command for Help {
    const SPEC: Spec = Spec {
        name: c"pgcache.help",
        flags: c"readonly fast allow-loading allow-stale",
        categories: c"read fast",
        accesses: &[],
        summary: c"Lists the commands",
        complexity: c"O(1)",
        arguments: &[],
    };

    fn run(_: Context<'_>, _: Arguments<'_>) -> Outcome {
        Reply::Value(Value::List(
            super::all().iter().flat_map(|command| lines(&command.spec)).map(Value::Text).collect(),
        ))
        .into()
    }
}

/// Usage, then what it does, as the server's own HELP subcommands print it.
pub fn lines(spec: &Spec) -> [String; 2] {
    let mut usage = spec.name.to_string_lossy().to_uppercase();
    for argument in spec.arguments {
        let name = argument.name.to_string_lossy();
        usage.push_str(&match (argument.kind, argument.is_optional, argument.is_repeated) {
            (ArgumentKind::Behind(word), ..) => format!(" [{} <{name}>]", word.to_string_lossy()),
            (_, false, _) => format!(" <{name}>"),
            (_, true, false) => format!(" [{name}]"),
            (_, true, true) => format!(" [{name} ...]"),
        });
    }
    [usage, format!("    {}.", spec.summary.to_string_lossy())]
}

#[cfg(test)]
mod tests {
    use super::super::read::Read;
    use super::*;

    #[test]
    fn usage_shows_what_may_be_left_out() {
        assert_eq!(lines(&Read::SPEC)[0], "PGCACHE.READ <table> <key-json> [ttl] [MINLSN <lsn>]");
    }
}
