//! QUERY: what is asked of PostgreSQL, and what drops a result.

use std::sync::Arc;
use std::time::Instant;

use super::client::{code, text, told, ID};
use crate::cache::{Answer, Error, ErrorKind, Lsn, Notice, Relation, Reply};
use crate::engine::queries::{Asked, Wanted, What};
use crate::engine::tests::cache::{other_table, table, Cache};
use crate::postgres::query::{Discovery, QueryDescription, QueryRows};
use crate::postgres::rows::load::Fetched;

const SQL: &str = "SELECT * FROM t";
const ROWS: &str = r#"[{"id":1}]"#;

fn cache() -> Cache {
    Cache::with(&["query", "any"])
}

fn asked(tags: &[&str]) -> Asked {
    let tags = tags.iter().map(ToString::to_string).collect();
    Asked {
        what: What::Sql(SQL.into()),
        params: "[]".into(),
        ttl: None,
        tags,
        source: None,
        min_lsn: None,
        routed_by: None,
    }
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
    cache.engine.query_described(&cache.store, 0, &plan, result.map(|()| description()), Instant::now());
}

fn description() -> QueryDescription {
    QueryDescription {
        tables: vec![table()],
        relations: vec![1],
        untracked: vec![],
        is_plain: true,
        named: vec![],
        runs_code: false,
        vocabulary: 0,
    }
}

fn rows(cache: &mut Cache, json: &str) {
    rows_seeing(cache, json, None);
}

/// The same of a query that was run after PostgreSQL showed `seen`.
fn rows_seeing(cache: &mut Cache, json: &str, seen: Option<&str>) {
    let load = *cache.loads().first().expect("a load is under way");
    let rows = QueryRows { json: Arc::from(json.as_bytes()), relations: Box::new([1]), reads_clock: false };
    let seen = seen.map(|seen| seen.parse().expect("a snapshot"));
    cache.complete_seeing(load, Ok(Fetched::Rows(rows, None)), seen);
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

/// Transaction 7 is told to have changed table `oid`, and may not be visible.
fn told_early(cache: &mut Cache, oid: u32) {
    cache.told(Some(7), &Notice::Table(Relation::Oid(oid)));
}

#[test]
fn a_result_without_a_change_that_was_told_is_answered_and_not_stored() {
    let mut cache = Cache::with(&["query", "any", "invalidation", "wal"]);
    query(&mut cache, &[]);
    told_early(&mut cache, 1);
    described(&mut cache, Ok(()));
    rows_seeing(&mut cache, "[]", Some("7:9:7"));
    assert_eq!(told(&mut cache), [(1, "[]".into())]);
    assert_eq!(text(query(&mut cache, &[])), "waits");
    rows_seeing(&mut cache, ROWS, Some("9:9:"));
    assert_eq!(text(query(&mut cache, &[])), ROWS);
}

#[test]
fn who_joins_a_query_that_saw_too_little_is_answered_by_the_next_one() {
    let mut cache = Cache::with(&["query", "any", "invalidation", "wal"]);
    query(&mut cache, &[]);
    told_early(&mut cache, 1);
    described(&mut cache, Ok(()));
    query(&mut cache, &[]);
    rows_seeing(&mut cache, "[]", Some("7:9:7"));
    assert_eq!(told(&mut cache), [(1, "[]".into())]);
    rows_seeing(&mut cache, ROWS, Some("9:9:"));
    assert_eq!(told(&mut cache), [(2, ROWS.into())]);
    assert_eq!(text(query(&mut cache, &[])), ROWS);
}

#[test]
fn a_change_of_a_table_that_it_does_not_read_guards_no_query() {
    let mut cache = Cache::with(&["query", "any", "invalidation", "wal"]);
    query(&mut cache, &[]);
    told_early(&mut cache, 2);
    described(&mut cache, Ok(()));
    rows(&mut cache, ROWS);
    assert_eq!(text(query(&mut cache, &[])), ROWS);
}

/// What it was not known to read could not guard it.
#[test]
fn a_result_that_has_turned_out_to_read_more_is_not_stored() {
    let mut cache = Cache::with(&["query", "any", "invalidation", "wal"]);
    cache.add(other_table());
    told_early(&mut cache, 9);
    query(&mut cache, &[]);
    described(&mut cache, Ok(()));
    let load = cache.loads()[0];
    let rows = QueryRows { json: Arc::from(ROWS.as_bytes()), relations: Box::new([1, 2]), reads_clock: false };
    let description = QueryDescription { tables: vec![other_table()], relations: vec![2], ..description() };
    let discovery = Discovery { description, asked: Instant::now() };
    cache.complete(load, Ok(Fetched::Rows(rows, Some(Box::new(discovery)))));
    assert_eq!(text(query(&mut cache, &[])), "waits");
}

/// A client asks with MINLSN.
fn query_from(cache: &mut Cache, lsn: u64) -> Option<Reply> {
    let asked = Asked { min_lsn: Some(Lsn(lsn)), ..asked(&[]) };
    match cache.engine.ask(&cache.store, &asked, Wanted::Rows) {
        Answer::Now(reply) => Some(reply),
        Answer::Blocked(_) => None,
    }
}

#[test]
fn a_result_answers_once_all_changes_up_to_the_position_were_applied() {
    let mut cache = holding(&[]);
    cache.beat_at(Some(Lsn(10)));
    assert_eq!(text(query_from(&mut cache, 10)), ROWS);
    assert_eq!(text(query_from(&mut cache, 11)), "waits");
    assert_eq!(text(query_from(&mut cache, 11)), "waits");
    assert_eq!(cache.loads().len(), 2, "neither waits for a load that may have begun before his change");
    rows(&mut cache, "[]");
    assert_eq!(told(&mut cache), [(2, "[]".into())], "the result of before is none to be told");
    assert_eq!(text(query(&mut cache, &[])), "waits", "nor for anybody else to find next");
    rows(&mut cache, "[]");
    assert_eq!(told(&mut cache), [(3, "[]".into()), (4, "[]".into())]);
    assert_eq!(text(query(&mut cache, &[])), "[]");
}
