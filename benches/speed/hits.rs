//! Hits against GET: the same clients, the same server, the same entries.

use crate::figure::{Figure, Goal};
use crate::load::entries;
use crate::load::pair::Pair;
use crate::load::{Load, PIPELINES};
use crate::stage::{key_of, prefix, Stage, ANY_KEY};
use crate::support::watched::{await_freshness, watch};
use crate::support::Client;

/// How many entries stand behind keys by chance.
const ENTRIES: u32 = 100_000;
const ROUNDS: usize = 11;

/// What is read, and what that is called.
struct Asked<'a> {
    table: &'a str,
    key: &'a str,
    name: &'a str,
    /// How many keys there are by chance; `None`: it is the only one.
    range: Option<u32>,
}

/// One key, many, and one whose table's changes are told; unpipelined and in pipelines of 32.
pub fn figures(stage: &Stage) -> Vec<Figure> {
    let server = stage.server();
    let mut client = server.client();
    let value = client.read("users", &key_of(0)).text();
    let users = prefix(&mut client, "users");
    entries::fill(&mut client, (0..ENTRIES).map(|number| format!("{users}{}", key_of(number))), &value);
    watch_one(stage, &mut client);

    let first = key_of(0);
    let asked = [
        Asked { table: "users", key: &first, name: "one key", range: None },
        Asked { table: "users", key: ANY_KEY, name: "100,000 keys", range: Some(ENTRIES) },
        Asked { table: "watched_user", key: &first, name: "one key of a watched table", range: None },
    ];
    let mut figures = vec![];
    for (pipeline, requests) in PIPELINES {
        let load = Load::on(server.port()).pipeline(pipeline).requests(requests);
        let goal = if pipeline == 1 { Goal::AtLeast(0.95, 1.0) } else { Goal::AtLeast(0.80, 0.9) };
        let how = if pipeline == 1 { "unpipelined".into() } else { format!("pipeline {pipeline}") };
        for asked in &asked {
            let name = format!("hit against GET, 50 clients, {how}, {}", asked.name);
            figures.push(Figure::new("hits", name, "/s", pair(&mut client, load, asked)).goal(goal));
        }
    }
    figures
}

fn pair(client: &mut Client, load: Load, asked: &Asked<'_>) -> Pair {
    let load = asked.range.map_or(load, |range| load.range(range));
    let cache_key = format!("{}{}", prefix(client, asked.table), asked.key);
    Pair::of(ROUNDS, || load.run(&["PGCACHE.READ", asked.table, asked.key]), || load.run(&["GET", &cache_key]))
}

/// A table of the first row alone, whose changes are told.
fn watch_one(stage: &Stage, client: &mut Client) {
    stage.database().execute(
        "DROP TABLE IF EXISTS watched_user;
         CREATE TABLE watched_user AS SELECT * FROM users ORDER BY id LIMIT 1;
         ALTER TABLE watched_user ADD PRIMARY KEY (id)",
    );
    await_freshness(client, "live");
    watch(client, "watched_user");
    client.read("watched_user", &key_of(0));
}
