//! Growth: what a hit costs beside GET with more entries, more tables and more clients.

use crate::figure::{Figure, Goal};
use crate::load::entries;
use crate::load::pair::Pair;
use crate::load::Load;
use crate::stage::{key_of, prefix, Stage, ANY_KEY};
use crate::support::Server;

const ROUNDS: usize = 7;
const TABLES: u32 = 1000;

/// With few and with many of each, and how the ratio to GET changed between them.
pub fn figures(stage: &Stage) -> Vec<Figure> {
    let mut figures = entries(stage);
    figures.extend(tables(stage));
    figures.extend(clients(stage));
    figures
}

/// The figures of few and of many, with what became of the ratio.
fn compared(few: (&str, Pair), many: (&str, Pair)) -> Vec<Figure> {
    let name = |what: &str| format!("hit against GET, {what}");
    // What GET itself loses is not our doing, so it is the ratios that are compared.
    let pair = Pair { ours: many.1.ratio, theirs: few.1.ratio, ratio: many.1.ratio / few.1.ratio };
    vec![
        Figure::new("growth", name(few.0), "/s", few.1),
        Figure::new("growth", name(many.0), "/s", many.1),
        Figure::new("growth", format!("that ratio: {} against {}", many.0, few.0), "of GET", pair)
            .goal(Goal::AtLeast(0.9, 1.0)),
    ]
}

/// In pipelines, where a hit's own cost shows.
fn pipelined(server: &Server, range: u32) -> Load {
    Load::on(server.port()).pipeline(32).requests(200_000).range(range)
}

fn entries(stage: &Stage) -> Vec<Figure> {
    let server = stage.server();
    let mut client = server.client();
    let value = client.read("users", &key_of(0)).text();
    let prefix = prefix(&mut client, "users");
    let mut filled = 0;
    let mut with = |count: u32| {
        entries::fill(&mut client, (filled..count).map(|number| format!("{prefix}{}", key_of(number))), &value);
        filled = count;
        let load = pipelined(&server, count);
        let cache_key = format!("{prefix}{ANY_KEY}");
        Pair::of(ROUNDS, || load.run(&["PGCACHE.READ", "users", ANY_KEY]), || load.run(&["GET", &cache_key]))
    };
    let few = with(10_000);
    let many = with(1_000_000);
    let mut figures = compared(("10 thousand entries", few), ("1 million entries", many));
    if std::env::var("PGCACHE_BENCH_HUGE").is_ok_and(|value| value == "1") {
        let huge = compared(("10 thousand entries", few), ("10 million entries", with(10_000_000)));
        figures.extend(huge.into_iter().skip(1));
    }
    figures
}

fn tables(stage: &Stage) -> Vec<Figure> {
    let server = stage.server();
    stage.database().execute(&format!(
        "DO $$ BEGIN FOR n IN 0 .. {TABLES} - 1 LOOP
             EXECUTE format('CREATE TABLE IF NOT EXISTS t%s (id bigint PRIMARY KEY, name text)', lpad(n::text, 12, '0'));
             EXECUTE format('INSERT INTO t%s VALUES (1, repeat(''x'', 270)) ON CONFLICT DO NOTHING', lpad(n::text, 12, '0'));
         END LOOP; END $$"
    ));
    let mut client = server.client();
    let key = r#"{"id":1}"#;
    for number in 0..TABLES {
        client.read(&format!("t{number:012}"), key);
    }
    let cache_key = client.key("t000000000000", key).replace("000000000000", "__rand_int__");
    let with = |count: u32| {
        let load = pipelined(&server, count);
        Pair::of(ROUNDS, || load.run(&["PGCACHE.READ", "t__rand_int__", key]), || load.run(&["GET", &cache_key]))
    };
    compared(("1 table", with(1)), ("1,000 tables", with(TABLES)))
}

fn clients(stage: &Stage) -> Vec<Figure> {
    let server = stage.server();
    let mut client = server.client();
    let key = key_of(0);
    client.read("users", &key);
    let cache_key = client.key("users", &key);
    let with = |count: u32, requests: u32| {
        let load = Load::on(server.port()).clients(count).requests(requests);
        Pair::of(ROUNDS, || load.run(&["PGCACHE.READ", "users", &key]), || load.run(&["GET", &cache_key]))
    };
    compared(("1 client", with(1, 10_000)), ("1,000 clients", with(1000, 30_000)))
}
