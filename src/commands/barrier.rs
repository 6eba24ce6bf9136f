//! `PGCACHE.BARRIER [timeout-ms] [SOURCE <name>]`: waits until everything that was committed before has been applied here.

use crate::cache::{Answer, Error, Reply};
use crate::module;
use crate::module::{Command, Outcome};
use crate::server::{Argument, ArgumentKind, Arguments, Context, Spec};

/// The command.
#[derive(Debug)]
pub struct Barrier;

impl Command for Barrier {
    const SPEC: Spec = Spec {
        name: c"pgcache.barrier",
        flags: c"readonly",
        categories: c"read",
        accesses: &[],
        summary: c"Waits until all changes that were committed before have been applied here, and returns the microseconds waited",
        complexity: c"O(1)",
        arguments: &[
            Argument::optional(c"timeout-ms", ArgumentKind::Integer),
            Argument::optional(c"name", ArgumentKind::Behind(c"SOURCE")),
        ],
    };

    fn run(ctx: Context<'_>, arguments: Arguments<'_>) -> Outcome {
        let words = match Words::parse(&arguments.all()) {
            Ok(words) => words,
            Err(error) => return error.into(),
        };
        module::with(|engine| {
            let source = words.source.as_deref().map_or(Ok(0), |name| engine.sources().named(name));
            let answer = source.and_then(|source| engine.barrier(ctx, source, words.timeout_ms));
            answer.unwrap_or_else(|error| Answer::Now(Reply::Error(error)))
        })
        .into()
    }
}

/// What it takes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    timeout_ms: Option<u64>,
    source: Option<String>,
}

impl Words {
    fn parse(words: &[&[u8]]) -> Result<Self, Error> {
        let (timeout_ms, rest) = match words {
            [first, rest @ ..] if !is_source(first) => (Some(timeout_ms(first)?), rest),
            words => (None, words),
        };
        let source = match rest {
            [] => None,
            [word, name] if is_source(word) => Some(name),
            _ => return Err(Error::malformed("PGCACHE.BARRIER takes a timeout in milliseconds, and SOURCE <name>")),
        };
        let source = source.map(|name| std::str::from_utf8(name).map(str::to_owned)).transpose();
        let source = source.map_err(|_| Error::malformed("SOURCE takes a name"))?;
        Ok(Self { timeout_ms, source })
    }
}

fn is_source(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"SOURCE")
}

/// As strict as a time to live.
fn timeout_ms(word: &[u8]) -> Result<u64, Error> {
    let is_number = word.iter().all(u8::is_ascii_digit);
    let ms = std::str::from_utf8(word).ok().filter(|_| is_number).and_then(|word| word.parse::<u32>().ok());
    ms.filter(|ms| (1..=i32::MAX as u32).contains(ms)).map(u64::from).ok_or_else(|| {
        Error::malformed(
            "invalid timeout: whole milliseconds from 1 to 2147483647 are expected; without one it is load_timeout_ms",
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<(Option<u64>, Option<String>), String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let words = Words::parse(&words).map_err(|error| error.to_string())?;
        Ok((words.timeout_ms, words.source))
    }

    #[test]
    fn a_timeout_and_a_source_may_be_named() {
        assert_eq!(read(&[]), Ok((None, None)));
        assert_eq!(read(&["250"]), Ok((Some(250), None)));
        assert_eq!(read(&["source", "b"]), Ok((None, Some("b".into()))));
        assert_eq!(read(&["1", "SOURCE", "b"]), Ok((Some(1), Some("b".into()))));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for words in [&["0"][..], &["-1"], &["+1"], &["1.5"], &["2147483648"], &["SOURCE"], &["1", "b"], &["", ""]] {
            assert!(read(words).unwrap_err().starts_with("ERR "), "{words:?}");
        }
    }
}
