//! The documents: what they say to paste into redis-cli and psql works as it is written.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use support::{eventually, on_every_server, Database, Postgres, Server};

/// The code blocks of a page, in their order: the language of each, and its text.
fn blocks(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'))
}

/// What redis-cli shows for a line that somebody types.
fn typed(server: &Server, line: &str) -> String {
    let mut shell = Command::new("redis-cli")
        .args(["--no-raw", "-p", &server.port().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(shell.stdin.take().unwrap(), "{line}").unwrap();
    String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap()
}

/// Pastes every command of `page`, and every UPDATE. Says how many commands there are.
fn paste(page: &str, server: &Server, database: &Database<'_>) -> usize {
    let mut count = 0;
    for (language, text) in blocks(page) {
        if language == "sql" && text.starts_with("UPDATE") {
            database.execute(text);
        }
        for line in text.lines().filter(|line| language.is_empty() && line.starts_with("PGCACHE.")) {
            let shown = typed(server, line);
            let is_refused = shown.starts_with("(error)") || shown.starts_with("Invalid argument");
            assert!(!is_refused && !shown.is_empty(), "{line}\n{shown}");
            count += 1;
        }
    }
    count
}

/// On every server: a page with so many commands, on the sample data of `make run`, and what is to be true afterwards.
fn pasted(path: &str, commands: usize, test: impl Fn(&Server)) {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(include_str!("../scripts/sample.sql"));
        let server = Server::start(&kind, &database);
        assert_eq!(paste(&page, &server, &database), commands, "{path}");
        test(&server);
    });
}

#[test]
fn the_five_minutes_of_the_readme() {
    pasted("README.md", 8, |server| {
        let mut client = server.client();
        eventually("the change is told", || {
            let row = client.read("orders", r#"{"user_id":8,"line_no":1}"#).json();
            (row["quantity"] == 100).then_some(())
        });
    });
}

#[test]
fn the_queries_of_the_page_about_queries() {
    pasted("docs/queries.md", 4, |_| {});
}

#[test]
fn the_hooks_of_the_page_about_hooks() {
    pasted("docs/hooks-and-plugins.md", 4, |_| {});
}
