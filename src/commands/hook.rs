//! `PGCACHE.HOOK ADD … | DEL <name> | LIST | ENABLE <name> | DISABLE <name> | HELP`: what is to be done when something
//! happens.

use super::misused;
use crate::cache::{Error, ErrorKind, Reply};
use crate::module;
use crate::module::{Command, Engine, Outcome, PluginCheck};
use crate::plugins::hooks::action::Action;
use crate::plugins::hooks::hook::{list, Definition};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec, Text, User};
use crate::settings::{did_you_mean, nearest, EventType};

/// The longest name, pattern or target of a hook, in bytes.
const MAX_BYTES: usize = 512;

/// The command.
#[derive(Debug)]
pub struct Hook;

impl Command for Hook {
    const SPEC: Spec = Spec {
        name: c"pgcache.hook",
        flags: c"admin",
        categories: c"admin dangerous",
        accesses: &[],
        summary: c"Has functions called, messages published or streams written when something happens in the cache",
        complexity: c"O(N) for N hooks",
        arguments: &[
            Argument::required(c"ADD|DEL|LIST|ENABLE|DISABLE|HELP", ArgumentKind::Text),
            Argument::many(c"argument", ArgumentKind::Text),
        ],
    };

    const HELP: &[&str] = &[
        "PGCACHE.HOOK ADD <name> <event> [TABLE <pattern>] [PRIORITY <n>] FUNCTION <function>",
        "    Calls a function of the server's with the cache keys and the event; before_command: its error refuses the command.",
        "PGCACHE.HOOK ADD <name> <event> [TABLE <pattern>] [PRIORITY <n>] PUBLISH <channel>",
        "    Publishes the event.",
        "PGCACHE.HOOK ADD <name> <event> [TABLE <pattern>] [PRIORITY <n>] STREAM <key> [MAXLEN <n>]",
        "    Adds the event to a stream.",
        "PGCACHE.HOOK DEL <name>",
        "    Removes a hook.",
        "PGCACHE.HOOK LIST",
        "    Returns all hooks with what became of them, in the order in which they are run.",
        "PGCACHE.HOOK ENABLE|DISABLE <name>",
        "    Switches a hook on or off.",
        "PGCACHE.HOOK HELP",
        "    Prints this.",
    ];

    /// A hook that refuses everything must not refuse its own removal.
    fn plugin_check(_: Arguments<'_>) -> PluginCheck {
        PluginCheck::Never
    }

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        let word = arguments.required(0).to_ascii_uppercase();
        let words: Result<Vec<&str>, Error> = (1..arguments.len()).map(|at| text(arguments.required(at))).collect();
        match words {
            Ok(words) => run(ctx, &word, &words).unwrap_or_else(Reply::Error).into(),
            Err(error) => error.into(),
        }
    }
}

fn run(ctx: Context<'_>, word: &[u8], words: &[&str]) -> Result<Reply, Error> {
    match (word, words) {
        (b"ADD", [name, event, rest @ ..]) => {
            let definition = parse(name, event, rest)?;
            may_do(ctx, &definition.action)?;
            change(ctx, |engine| {
                let prefix = &engine.settings().cache_prefix;
                if matches!(&definition.action, Action::Stream { key, .. } if key.starts_with(prefix.as_str())) {
                    return Err(Error::malformed("a stream must not stand among the cache's own keys"));
                }
                engine.plugins().hooks.registry_mut().add(definition)
            })
        }
        (b"DEL", [name]) => change(ctx, |engine| {
            let is_removed = engine.plugins().hooks.registry_mut().remove(name);
            is_removed.then_some(()).ok_or_else(no_such_hook)
        }),
        (b"ENABLE", [name]) if is_forbidden(ctx, name) => Err(forbidden()),
        (b"ENABLE" | b"DISABLE", [name]) => change(ctx, |engine| {
            let is_there = engine.plugins().hooks.registry_mut().enable(name, word == b"ENABLE");
            is_there.then_some(()).ok_or_else(no_such_hook)
        }),
        (b"LIST", []) => Ok(module::with(|engine| Reply::Value(list(&engine.plugins().hooks.all())))),
        (b"HELP", []) => Ok(Reply::lines(Hook::HELP)),
        _ => Err(misused("HOOK takes ADD, DEL, LIST, ENABLE, DISABLE or HELP; see PGCACHE.HOOK HELP", word, &WORDS)),
    }
}

/// What may stand first.
const WORDS: [&str; 6] = ["ADD", "DEL", "LIST", "ENABLE", "DISABLE", "HELP"];

/// `NOPERM` unless the user may do by itself what the hook is to do.
fn may_do(ctx: Context<'_>, action: &Action) -> Result<(), Error> {
    let user = User::of(ctx);
    let target = action.target();
    let is_allowed = match action {
        Action::Function(_) => {
            user.may_run(&[b"FCALL", target.as_bytes(), b"0"]) && user.may_run(&[b"FCALL_RO", target.as_bytes(), b"0"])
        }
        Action::Publish(_) => {
            user.may_run(&[b"PUBLISH", target.as_bytes(), b""]) && user.may_publish(&Text::new(target.as_bytes()))
        }
        Action::Stream { max_len, .. } => {
            let trims = user.may_run(&[b"XTRIM", target.as_bytes(), b"MAXLEN", b"0"]);
            user.may_run(&[b"XADD", target.as_bytes(), b"*", b"event", b""]) && (max_len.is_none() || trims)
        }
    };
    is_allowed.then_some(()).ok_or_else(forbidden)
}

/// Whether there is a hook of that name that the user may not add.
fn is_forbidden(ctx: Context<'_>, name: &str) -> bool {
    module::with(|engine| {
        let hooks = engine.plugins().hooks.all();
        let action = hooks.iter().find(|hook| hook.definition.name == name).map(|hook| hook.definition.action.clone());
        action.is_some_and(|action| may_do(ctx, &action).is_err())
    })
}

fn forbidden() -> Error {
    Error::new(
        ErrorKind::Denied,
        "this user's ACL does not allow what the hook does: FCALL and FCALL_RO, PUBLISH to the channel, or XADD to the key \
         and, with MAXLEN, XTRIM",
    )
}

/// Changes the hooks, and saves them. On a replica they are the master's.
fn change(ctx: Context<'_>, work: impl FnOnce(&mut Engine) -> Result<(), Error>) -> Result<Reply, Error> {
    if ctx.flags().is_replica() {
        return Err(Error::new(ErrorKind::ReadOnly, "You can't write against a read only replica."));
    }
    let changed = module::with(|engine| {
        // What was saved before is not to be lost by this.
        engine.keep_hooks(ctx);
        let result = work(engine);
        if result.is_ok() {
            engine.hooks_changed(ctx);
        }
        Some(result)
    });
    changed.unwrap_or(Ok(())).map(|()| Reply::Ok)
}

fn parse(name: &str, event: &str, mut rest: &[&str]) -> Result<Definition, Error> {
    if name.is_empty() {
        return Err(Error::malformed("a hook needs a name"));
    }
    let (mut table, mut priority) = (None, None);
    let action = loop {
        rest = match rest {
            [word, pattern, after @ ..] if word.eq_ignore_ascii_case("TABLE") && table.is_none() => {
                table = Some((*pattern).to_owned());
                after
            }
            [word, number, after @ ..] if word.eq_ignore_ascii_case("PRIORITY") && priority.is_none() => {
                priority = Some(whole(number, "PRIORITY")?);
                after
            }
            _ => break action(rest)?,
        };
    };
    let (event, priority) = (event_named(event)?, priority.unwrap_or(0));
    Ok(Definition { name: name.to_owned(), event, table, priority, is_enabled: true, action })
}

fn event_named(name: &str) -> Result<EventType, Error> {
    EventType::of_hook(name).ok_or_else(|| {
        let names: Vec<&str> = EventType::for_hooks().filter_map(EventType::hook_name).collect();
        let meant = did_you_mean(nearest(name, names.iter().copied()));
        Error::malformed(format!("the event must be one of {}{meant}", names.join(", ")))
    })
}

fn action(words: &[&str]) -> Result<Action, Error> {
    let named = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
    match words {
        [_, "", ..] => Err(Error::malformed("FUNCTION, PUBLISH and STREAM need a name")),
        [word, name] if named(word, "FUNCTION") => Ok(Action::Function((*name).to_owned())),
        [word, channel] if named(word, "PUBLISH") => Ok(Action::Publish((*channel).to_owned())),
        [word, key] if named(word, "STREAM") => Ok(Action::Stream { key: (*key).to_owned(), max_len: None }),
        [word, key, option, length] if named(word, "STREAM") && named(option, "MAXLEN") => {
            Ok(Action::Stream { key: (*key).to_owned(), max_len: Some(whole(length, "MAXLEN")?) })
        }
        _ => Err(Error::malformed(
            "a hook ends with FUNCTION <function>, PUBLISH <channel>, or STREAM <key> [MAXLEN <n>]",
        )),
    }
}

fn whole<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::malformed(format!("{what} must be a whole number")))
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::malformed("hooks are written in UTF-8"))?;
    if text.len() > MAX_BYTES || text.contains(char::is_control) {
        return Err(Error::malformed(format!(
            "names, patterns and keys have at most {MAX_BYTES} bytes and no control characters"
        )));
    }
    Ok(text)
}

fn no_such_hook() -> Error {
    Error::malformed("there is no hook of that name")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> Result<Definition, String> {
        let words: Vec<&str> = words.split(' ').collect();
        parse(words[0], words[1], &words[2..]).map_err(|error| error.to_string())
    }

    #[test]
    fn a_hook_is_read_in_every_form() {
        let stream = parsed("a miss priority -5 TABLE sales.* stream s MAXLEN 10").unwrap();
        assert_eq!((stream.event, stream.priority, stream.table.as_deref()), (EventType::Miss, -5, Some("sales.*")));
        assert_eq!(stream.action, Action::Stream { key: "s".into(), max_len: Some(10) });
        assert_eq!(parsed("a hit PUBLISH c").unwrap().action, Action::Publish("c".into()));
        assert_eq!(parsed("a HIT FUNCTION f").unwrap().action, Action::Function("f".into()));
    }

    #[test]
    fn every_event_may_have_a_hook() {
        for event in EventType::for_hooks() {
            let hook = parsed(&format!("a {} PUBLISH c", event.hook_name().unwrap())).unwrap();
            assert_eq!(hook.event, event);
        }
        assert_eq!(parsed("a TAG_Invalidate PUBLISH c").unwrap().event, EventType::TagInvalidate);
        assert!(parsed("a tag PUBLISH c").unwrap_err().contains("table_flush, tag_invalidate, expire"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for words in [
            "a hit",
            "a hit FUNCTION",
            "a hit FUNCTION f g",
            "a hit STREAM s MAXLEN x",
            "a hit STREAM s MAXLEN -1",
            "a hit STREAM s LIMIT 5",
            "a hit TABLE t TABLE u PUBLISH c",
            "a hit PRIORITY 1.5 PUBLISH c",
            "a hit PRIORITY 99999999999 PUBLISH c",
            "a hit TABLE PUBLISH",
            "a cache_hit PUBLISH c",
            "a hit PUBLISH ",
        ] {
            assert!(parsed(words).unwrap_err().starts_with("ERR "), "{words}");
        }
    }
}
