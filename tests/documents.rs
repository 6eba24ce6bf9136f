//! The documents: whatever they show to paste works as it is written, and prints what they say.
//!
//! `redis` is for redis-cli, `sh` for a shell, `sql` for the psql of a superuser, and a `text` block behind one of these is what it prints.
#![allow(clippy::unwrap_used)]

#[path = "documents/mod.rs"]
mod documents;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use documents::answer::is_shown;
use documents::block::{blocks, Block};
use documents::stage::Stage;
use support::outage::take_away;
use support::queries::{any, query, store};
use support::watched::{cache, start_listening, watch};
use support::{eventually, on_every_server, Postgres};

/// What no test can do: the page, how the block begins, and why.
const NOT_RUN: [(&str, &str, &str); 3] = [
    ("README.md", "make run  ", "this test stands on what these two lines make; `first_hour` runs the first one"),
    ("docs/operations.md", "pgcache 0.1.0 is loaded", "lines of a log, which nobody pastes"),
    (
        "docs/operations.md",
        "sudo apt install ./pgcache_",
        "it installs on the machine; `make packages-check` unpacks the package",
    ),
];

/// For how long an answer may be another one, since the cache has not heard of a change.
const UNTIL_HEARD: Duration = Duration::from_secs(20);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README and the pages of docs, by their names below the root.
fn pages() -> Vec<String> {
    let inside = |folder: &str| fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut pages: Vec<PathBuf> = inside("docs").chain(inside("docs/decisions")).collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.push(root().join("README.md"));
    pages.sort();
    pages.iter().map(|page| page.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()).collect()
}

fn to_paste(page: &str) -> Vec<Block> {
    let mut blocks = blocks(&fs::read_to_string(root().join(page)).unwrap());
    blocks.retain(|block| !NOT_RUN.iter().any(|(of, begins, _)| *of == page && block.text.starts_with(begins)));
    blocks
}

/// What a block prints, line by line.
fn paste(stage: &Stage, block: &Block) -> Result<String, String> {
    match &*block.language {
        "sh" => stage.shell(&block.text),
        "sql" => stage.psql(&block.text),
        "redis" => block.text.lines().map(|line| answer_to(stage, line).map(|answer| answer + "\n")).collect(),
        other => Err(format!("nothing runs a block of `{other}`: name its language, or add it to NOT_RUN")),
    }
}

/// What redis-cli prints for a line. PGCACHE.WATCH does not wait for long for a table that somebody uses, and says so.
fn answer_to(stage: &Stage, line: &str) -> Result<String, String> {
    let busy = |answer: &Result<String, String>| answer.as_ref().is_err_and(|error| error.starts_with("PGERR 55P03"));
    let mut answers = std::iter::repeat_with(|| stage.redis_cli(line));
    answers.find(|answer| !busy(answer)).unwrap()
}

/// Does what the block says, and compares.
fn follow(stage: &Stage, block: &Block) -> Result<(), String> {
    let deadline = Instant::now() + UNTIL_HEARD;
    loop {
        // An error may be what the page shows.
        let printed = paste(stage, block);
        let printed = if block.answer.is_some() { printed.or_else(Ok) } else { printed }?;
        let Some(shown) = block.answer.as_ref().filter(|shown| !is_shown(shown, &printed)) else { return Ok(()) };
        if block.language != "redis" || Instant::now() > deadline {
            return Err(format!("shown:\n{shown}\nprinted:\n{printed}"));
        }
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn every_example_works_as_it_is_written() {
    on_every_server(|kind| {
        for page in pages() {
            let blocks = to_paste(&page);
            if blocks.is_empty() {
                continue;
            }
            let stage = Stage::new(&kind);
            for block in blocks {
                eprintln!("{page}:{}: {}", block.line, block.language);
                follow(&stage, &block).unwrap_or_else(|lie| panic!("{page}:{}:\n{}\n{lie}", block.line, block.text));
            }
        }
    });
}

#[test]
fn what_is_not_run_is_still_there() {
    for (page, begins, reason) in NOT_RUN {
        let found = blocks(&fs::read_to_string(root().join(page)).unwrap());
        assert!(found.iter().any(|block| block.text.starts_with(begins)), "{page} has no block {begins}: {reason}");
    }
}

/// The lines of the table, and the errors with which reads of rows and of results of watched tables are answered at last.
const AWAY: [(&str, &str, &str, &str); 3] =
    [("on_gap", "bypass", "PGDOWN", "PGDOWN"), ("grace", "3600", "", "PGDOWN"), ("on_gap", "serve", "", "")];

#[test]
fn the_table_says_what_hits_do_while_postgresql_is_away() {
    on_every_server(|kind| {
        let (postgres, names, one) = (Postgres::start(), "SELECT name FROM users", r#"{"id":1}"#);
        let database = postgres.database();
        database.with_users(5);
        let server = start_listening(any(&kind, &database).setting("max_staleness_ms", "500"));
        let mut client = server.client();
        watch(&mut client, "users");
        cache(&mut client, "users", one);
        store(&mut client, &[names]);
        take_away(&postgres, &mut client);
        for (setting, value, row, result) in AWAY {
            client.set(setting, value);
            eventually(&format!("{setting} {value}"), || {
                let replies = (client.read("users", one), query(&mut client, &[names]));
                ((replies.0.code(), replies.1.code()) == (row, result)).then_some(())
            });
        }
        for page in ["README.md", "docs/operations.md"] {
            let page = fs::read_to_string(root().join(page)).unwrap();
            let is_line = |setting: &str, value: &str| page.contains(&format!("| `{setting} {value}`"));
            assert!(AWAY.iter().all(|(setting, value, ..)| is_line(setting, value)));
        }
    });
}
