//! Typical mistakes: every server answers them in the words that docs/operations.md shows.
#![allow(clippy::unwrap_used)]

#[path = "mistakes/mod.rs"]
mod mistakes;
mod support;

use mistakes::{commands, connections, page, settings, Answer};
use support::{on_every_server, Kind, Postgres};

/// Everything that goes wrong on one server, in the order of the page.
fn answers(kind: &Kind, postgres: &Postgres) -> Vec<Answer> {
    [settings::all(kind), connections::all(kind, postgres), commands::all(kind, postgres)].concat()
}

#[test]
fn every_mistake_is_answered_as_the_page_says() {
    let postgres = connections::guarded();
    if std::env::var_os("PGCACHE_WRITE_MISTAKES").is_some() {
        let kind = Kind { name: "redis-7.0".into() };
        page::write(&answers(&kind, &postgres));
    }
    on_every_server(|kind| {
        let (answers, shown) = (answers(&kind, &postgres), page::rows());
        for answer in &answers {
            assert!(answer.is_understood(), "{answer:?}");
            assert!(shown.contains(&answer.row()), "the page differs (see CONTRIBUTING.md): {}", answer.row());
        }
        assert_eq!(shown.len(), answers.len(), "the page has rows of mistakes that nobody makes");
    });
}
