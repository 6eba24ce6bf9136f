//! `PGCACHE.SLOWLOG GET [count] | LEN | RESET | HELP`: the commands that took long.

use super::misused;
use crate::cache::{Error, Reply, Value};
use crate::module;
use crate::module::{Command, Outcome};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

/// How many GET returns unless it is told, as the server's own SLOWLOG.
const DEFAULT_COUNT: usize = 10;

/// The command.
#[derive(Debug)]
pub struct SlowLog;

impl Command for SlowLog {
    const SPEC: Spec = Spec {
        name: c"pgcache.slowlog",
        flags: c"admin allow-loading allow-stale",
        categories: c"admin dangerous",
        accesses: &[],
        summary:
            c"Returns or forgets the commands that took longer than slowlog_log_slower_than, and where their time went",
        complexity: c"O(N) for N commands",
        arguments: &[
            Argument::required(c"GET|LEN|RESET|HELP", ArgumentKind::Text),
            Argument::optional(c"count", ArgumentKind::Integer),
        ],
    };

    const HELP: &[&str] = &[
        "PGCACHE.SLOWLOG GET [count]",
        "    Returns the latest slow commands (10; -1: all), with where their time went, in microseconds.",
        "PGCACHE.SLOWLOG LEN",
        "    Returns how many are kept.",
        "PGCACHE.SLOWLOG RESET",
        "    Forgets them.",
        "PGCACHE.SLOWLOG HELP",
        "    Prints this.",
    ];

    fn run(_: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        let word = arguments.required(0).to_ascii_uppercase();
        let reply = match (word.as_slice(), arguments.get(1)) {
            (b"GET", count) => match count.map_or(Ok(DEFAULT_COUNT), parse_count) {
                Ok(count) => module::with(|engine| {
                    let latest = engine.plugins().slowlog.latest(count);
                    Reply::Value(Value::List(latest.iter().map(|slow| slow.described(usize::MAX)).collect()))
                }),
                Err(error) => error.into(),
            },
            (b"LEN", None) => module::with(|engine| Reply::Value(Value::from(engine.plugins().slowlog.len() as u64))),
            (b"RESET", None) => module::with(|engine| {
                engine.plugins().slowlog.reset();
                Reply::Ok
            }),
            (b"HELP", None) => Reply::lines(SlowLog::HELP),
            _ => misused("SLOWLOG takes GET with or without a count, LEN, RESET, or HELP", &word, &WORDS).into(),
        };
        reply.into()
    }
}

/// What may stand first.
const WORDS: [&str; 4] = ["GET", "LEN", "RESET", "HELP"];

fn parse_count(text: &[u8]) -> Result<usize, Error> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
    match number {
        Some(-1) => Ok(usize::MAX),
        Some(number) if number >= 0 => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
        _ => Err(Error::malformed("count must be -1 (all) or a whole number from 0")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_minus_one_or_a_whole_number() {
        assert_eq!((parse_count(b"-1").unwrap(), parse_count(b"0").unwrap()), (usize::MAX, 0));
        assert_eq!(parse_count(b"7").unwrap(), 7);
        for bad in [&b"-2"[..], b"x", b"", b"1.5", b"\xff"] {
            assert!(parse_count(bad).is_err());
        }
    }
}
