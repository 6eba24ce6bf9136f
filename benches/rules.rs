//! The rules on the way of a hit and of a miss, each by itself: `cargo bench --bench rules`.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::rc::Rc;
use std::sync::Arc;

use criterion::{criterion_group, criterion_main, Criterion};

use pgcache::cache::canonical::Rule;
use pgcache::cache::flight::{FlightPlan, Flights, Joined, RowTarget, Target};
use pgcache::cache::key::{FastPath, LookupKey};
use pgcache::cache::table::{Clock, Column, TableDefinition};
use pgcache::engine::catalog::tables::{Now, Resolved, Table, Tables};
use pgcache::plugins::call::{Args, CommandEnd};
use pgcache::plugins::event::Event;
use pgcache::plugins::stats::statistics::Statistics;
use pgcache::settings::EventType;

/// A lookup key with the rules of its columns, sorted by their names.
const KEYS: [(&str, &str, &[Rule]); 5] = [
    ("integer", r#"{"id":123456}"#, &[Rule::INT8]),
    ("integer with spaces", r#"{ "id": 123456 }"#, &[Rule::INT8]),
    ("text", r#"{"email":"user1@example.com"}"#, &[Rule::Text]),
    ("uuid", r#"{"id":"7D444840-9DC0-11D1-B245-5FFDCE74FAD2"}"#, &[Rule::Uuid]),
    ("two columns", r#"{"user_id":7,"line_no":2}"#, &[Rule::INT4, Rule::INT8]),
];

/// From the client's bytes to the one spelling of a key: in one scan, as nearly all keys go.
fn scans(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key in one scan");
    for (name, json, rules) in KEYS {
        let key = LookupKey::parse(json.as_bytes()).unwrap();
        let shape = FastPath::new(key.columns().zip(rules.iter().copied()));
        let mut out = Vec::with_capacity(256);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                shape.copy(black_box(json.as_bytes()), &mut out).is_some()
            });
        });
    }
    group.finish();
}

/// The same by the JSON parser, as all others go.
fn keys(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("key by the parser");
    for (name, json, rules) in KEYS {
        let mut out = Vec::with_capacity(256);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                let key = LookupKey::parse(black_box(json.as_bytes())).unwrap();
                key.write_canonical(rules, &mut out).unwrap()
            });
        });
    }
    let array = format!("[{}]", vec![r#"{"id":123456}"#; 100].join(","));
    group.bench_function("100 of a MULTIREAD", |bencher| {
        bencher.iter(|| LookupKey::parse_many(black_box(array.as_bytes()), 10_000).unwrap().len());
    });
    group.finish();
}

fn definition(oid: u32) -> TableDefinition {
    TableDefinition {
        oid,
        schema: "public".into(),
        relation: format!("users{oid}"),
        display: format!("users{oid}"),
        columns: vec![Column {
            name: "id".into(),
            sql_type: "\"pg_catalog\".\"int8\"".into(),
            equality: "OPERATOR(pg_catalog.=)".into(),
            rule: Rule::INT8,
            clock: Clock::Unread,
            is_domain: false,
            has_form: true,
        }],
        unique_keys: vec![vec![0]],
        named_keys: vec![vec![0]],
        is_watched: false,
        is_plain: true,
        concerns: vec![oid],
        fingerprint: 0,
    }
}

fn added(tables: &mut Tables, oid: u32) -> Rc<Table> {
    let table = tables.add(Resolved {
        source: 0,
        source_prefix: "",
        cache_prefix: "pg_cache:",
        definition: Arc::new(definition(oid)),
        epoch: None,
        drop: 0,
        changes: Rc::default(),
        now: Now { monotonic_ms: 0, unix_ms: 0 },
    });
    tables.remember(table.name.as_bytes(), &table);
    table
}

/// From a client's spelling to the table, and from a key's columns to the way its rows are looked up.
fn tables(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table");
    for count in [1, 1000] {
        let mut tables = Tables::default();
        let table = (1..=count).map(|oid| added(&mut tables, oid)).last().unwrap();
        group.bench_function(format!("by its spelling, of {count}"), |bencher| {
            bencher.iter(|| tables.find(black_box(table.name.as_bytes())).unwrap().id);
        });
    }
    let table = added(&mut Tables::default(), 1);
    let key = LookupKey::parse(br#"{"id":1}"#).unwrap();
    group.bench_function("the way to look up a row", |bencher| {
        bencher.iter(|| table.lookup(black_box(&key)).unwrap().is_non_unique);
    });
    group.finish();
}

fn plan() -> FlightPlan {
    FlightPlan {
        target: Target::Row(RowTarget { table: 1, needs_postgres: false, is_non_unique: false, may_alias: false }),
        ttl_s: 3600,
        deadline_ms: u64::MAX,
        prefix_len: 15,
        is_refresh: false,
        guard: None,
        min_lsn: None,
    }
}

/// A flight's whole life: alone, with others beside it, and with someone who joins.
fn flights(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("flight");
    for beside in [0, 1000] {
        let mut flights = Flights::<u64>::default();
        for number in 0..beside {
            flights.join(format!("pg_cache:users:{{\"id\":{number}}}").as_bytes(), plan(), 0);
        }
        group.bench_function(format!("start and land beside {beside}"), |bencher| {
            bencher.iter(|| {
                let joined = flights.join(black_box(b"pg_cache:users:{\"id\":-1}"), plan(), 1);
                let (Joined::Started(id) | Joined::Waiting(id)) = joined;
                flights.complete(id).unwrap().waiters.len()
            });
        });
    }
    let mut flights = Flights::<u64>::default();
    group.bench_function("start, ten who join, land", |bencher| {
        bencher.iter(|| {
            let join = |waiter| flights.join(black_box(b"pg_cache:users:{\"id\":1}"), plan(), waiter);
            let (Joined::Started(id) | Joined::Waiting(id)) = (0..11).map(join).last().unwrap();
            flights.complete(id).unwrap().waiters.len()
        });
    });
    group.finish();
}

/// What is recorded of a hit: the command, and its table.
fn statistics(criterion: &mut Criterion) {
    let mut statistics = Statistics::default();
    criterion.bench_function("statistics of a hit", |bencher| {
        bencher.iter(|| {
            let hit = Event { table: Some((1, "users")), ..Event::new(EventType::Hit) };
            if let Some(table) = statistics.table(black_box(&hit)) {
                table.hits += 1;
            }
            statistics.ended(&CommandEnd {
                command: "pgcache.read",
                is_write: false,
                client: 1,
                subject: None,
                at_s: 1,
                duration_us: black_box(2),
                timings: None,
                error: None,
                arguments: Args::Kept(&[]),
            });
        });
    });
}

criterion_group!(rules, scans, keys, tables, flights, statistics);
criterion_main!(rules);
