//! QUERY: what is asked of PostgreSQL, and what drops a result.

use std::sync::Arc;
use std::time::Instant;

use super::client::{code, text, told, ID};
use crate::cache::{Answer, Error, ErrorKind, Reply};
use crate::engine::queries::{Asked, Wanted, What};
use crate::engine::tests::cache::{table, Cache};
use crate::postgres::query::{QueryDescription, QueryRows};
use crate::postgres::rows::load::Fetched;

const SQL: &str = "SELECT * FROM t";
const ROWS: &str = r#"[{"id":1}]"#;

fn cache() -> Cache {
    Cache::with(&["query", "any"])
}

fn asked(tags: &[&str]) -> Asked {
    let tags = tags.iter().map(ToString::to_string).collect();
    Asked { what: What::Sql(SQL.into()), params: "[]".into(), ttl: None, tags, source: None }
}

fn query(cache: &mut Cache, tags: &[&str]) -> Option<Reply> {
    match cache.engine.ask(&cache.store, &asked(tags), Wanted::Rows) {
        Answer::Now(reply) => Some(reply),
        Answer::Blocked(_) => None,
    }
}

/// PostgreSQL says that the query reads `t`, or why it cannot be run.
fn described(cache: &mut Cache, result: Result<(), Error>) {
    let plan = cache.engine.plan_asked(SQL).expect("PostgreSQL is asked");
    let description = QueryDescription {
        tables: vec![table()],
        relations: vec![1],
        untracked: vec![],
        is_plain: true,
        named: vec![],
        runs_code: false,
        vocabulary: 0,
    };
    cache.engine.query_described(&cache.store, 0, &plan, result.map(|()| description), Instant::now());
}

fn rows(cache: &mut Cache, json: &str) {
    let load = *cache.loads().first().expect("a load is under way");
    let rows = QueryRows { json: Arc::from(json.as_bytes()), relations: Box::new([1]), reads_clock: false };
    cache.complete(load, Ok(Fetched::Rows(rows, None)));
}

/// A cache that holds the result under `tags`.
fn holding(tags: &[&str]) -> Cache {
    let mut cache = cache();
    query(&mut cache, tags);
    described(&mut cache, Ok(()));
    rows(&mut cache, ROWS);
    assert_eq!(told(&mut cache), [(1, ROWS.into())]);
    cache
}

#[test]
fn a_query_is_described_once_for_all_who_ask_it_and_loaded_once() {
    let mut cache = cache();
    assert_eq!(text(query(&mut cache, &[])), "waits");
    assert_eq!(text(query(&mut cache, &[])), "waits");
    described(&mut cache, Ok(()));
    assert_eq!(cache.loads().len(), 1);
    rows(&mut cache, ROWS);
    assert_eq!(told(&mut cache), [(1, ROWS.into()), (2, ROWS.into())]);
    assert_eq!(text(query(&mut cache, &[])), ROWS);
}

#[test]
fn a_query_that_cannot_be_run_fails_everyone_who_asked_it() {
    let mut cache = cache();
    query(&mut cache, &[]);
    described(&mut cache, Err(Error::new(ErrorKind::Postgres("42601".into()), "syntax error")));
    assert!(told(&mut cache)[0].1.starts_with("PGERR 42601"));
}

#[test]
fn a_change_of_a_table_that_it_reads_drops_its_result() {
    let mut cache = holding(&[]);
    cache.changed(1, &[ID]);
    assert_eq!(text(query(&mut cache, &[])), "waits");
}

#[test]
fn those_whose_load_a_change_overtook_get_what_the_newer_load_brings() {
    let mut cache = holding(&[]);
    cache.changed(1, &[ID]);
    query(&mut cache, &[]);
    cache.changed(1, &[ID]);
    query(&mut cache, &[]);
    assert_eq!(cache.loads().len(), 2);
    rows(&mut cache, "[]");
    assert_eq!(told(&mut cache), []);
    rows(&mut cache, ROWS);
    assert_eq!(told(&mut cache), [(2, ROWS.into()), (3, ROWS.into())]);
    assert_eq!(text(query(&mut cache, &[])), ROWS);
}

#[test]
fn a_tag_drops_the_results_that_carry_it_and_no_others() {
    let mut cache = holding(&["red"]);
    cache.engine.flush_tags(&cache.store, &["blue"]);
    assert_eq!(text(query(&mut cache, &["red"])), ROWS);
    cache.engine.flush_tags(&cache.store, &["red"]);
    assert_eq!(text(query(&mut cache, &["red"])), "waits");
}

#[test]
fn free_sql_is_refused_unless_a_setting_allows_it() {
    let mut cache = Cache::new();
    assert_eq!(code(query(&mut cache, &[])), "NOPERM");
}

#[test]
fn in_multi_a_result_has_to_be_cached() {
    let mut cache = holding(&[]);
    cache.store.clients.is_in_multi.set(true);
    assert_eq!(text(query(&mut cache, &[])), ROWS);
    assert_eq!(code(query(&mut cache, &["new"])), "PGMISS");
}
