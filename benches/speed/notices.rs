//! Change notices: how fast they are applied, and what that costs hits.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::figure::Figure;
use crate::load::entries;
use crate::load::pair::Pair;
use crate::load::Load;
use crate::stage::{key_of, prefix, Stage, FIRST_ID};
use crate::support::eventually::PATIENCE;
use crate::support::watched::{await_freshness, watch};
use crate::support::{Client, Server};
use crate::writers::Writers;

const ROUNDS: usize = 5;
/// Rows that one transaction changes, and in how many of them a statement of many.
const ROWS_AT_ONCE: u32 = 100_000;
const ROWS_PER_STATEMENT: u32 = 1000;
const SINGLE_ROWS: u32 = 20_000;
const UPDATES_PER_SECOND: u32 = 2000;

/// Rows a second from commit until the last one is forgotten; hits while changes are told against while they are not.
pub fn figures(stage: &Stage) -> Vec<Figure> {
    make_tables(stage.with_all_rows());
    let server = stage.server();
    let mut client = server.client();
    await_freshness(&mut client, "live");
    watch(&mut client, "watched");
    let bulk = applied(stage, &mut client, ROWS_AT_ONCE, ROWS_PER_STATEMENT);
    let single = applied(stage, &mut client, SINGLE_ROWS, 1);
    let pair = hits(stage, &server);
    vec![
        Figure::alone("notices", "rows forgotten, from the commit of 100 UPDATEs of 1,000 rows", "rows/s", bulk),
        Figure::alone("notices", "rows forgotten, from the commit of 20,000 UPDATEs of one row", "rows/s", single),
        Figure::new("notices", "hits while 2,000 changes/s are told, against while they are not", "/s", pair),
    ]
}

/// One table to be watched and one like it.
fn make_tables(stage: &Stage) {
    for table in ["watched", "unwatched"] {
        stage.database().execute(&format!(
            "DROP TABLE IF EXISTS {table};
             CREATE TABLE {table} AS SELECT * FROM users WHERE id < {FIRST_ID} + {ROWS_AT_ONCE};
             ALTER TABLE {table} ADD PRIMARY KEY (id)"
        ));
    }
}

/// Rows a second, the median of some rounds.
fn applied(stage: &Stage, client: &mut Client, rows: u32, per_statement: u32) -> f64 {
    let rates = (0..ROUNDS).map(|_| {
        fill(client, rows);
        let last = format!("{}{}", prefix(client, "watched"), key_of(rows - 1));
        let mut writer = stage.database().connect();
        writer.batch_execute(&format!("BEGIN; {}", updates(rows, per_statement))).unwrap();
        let began = Instant::now();
        writer.batch_execute("COMMIT").unwrap();
        // They are told in the order in which they were made.
        while client.exists(&last) {
            assert!(began.elapsed() < PATIENCE, "changes were not told");
            sleep(Duration::from_micros(500));
        }
        f64::from(rows) / began.elapsed().as_secs_f64()
    });
    crate::load::median(rates.collect::<Vec<_>>().into_iter())
}

fn fill(client: &mut Client, rows: u32) {
    let value = client.read("watched", &key_of(0)).text();
    let prefix = prefix(client, "watched");
    entries::fill(client, (0..rows).map(|number| format!("{prefix}{}", key_of(number))), &value);
}

fn updates(rows: u32, per_statement: u32) -> String {
    format!(
        "DO $$ BEGIN FOR low IN 0 .. {rows} - 1 BY {per_statement} LOOP
             UPDATE watched SET name = name WHERE id >= {FIRST_ID} + low AND id < {FIRST_ID} + low + {per_statement};
         END LOOP; END $$"
    )
}

/// Hits on another table while rows of the watched one change, against while as many change of which nobody is told: what
/// PostgreSQL itself takes of the machine is the same.
fn hits(stage: &Stage, server: &Server) -> Pair {
    let key = key_of(0);
    server.client().read("users", &key);
    let load = Load::on(server.port()).requests(50_000);
    let during = |table: &str| {
        let script = format!(
            "\\set id {FIRST_ID} + random(0, {ROWS_AT_ONCE} - 1)\nUPDATE {table} SET name = name WHERE id = :id;\n"
        );
        let _writers = Writers::start(stage, &script, UPDATES_PER_SECOND);
        load.run(&["PGCACHE.READ", "users", &key])
    };
    Pair::of(2 * ROUNDS + 1, || during("watched"), || during("unwatched"))
}
