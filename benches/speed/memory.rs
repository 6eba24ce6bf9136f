//! Memory: what an entry takes that a miss has stored, against SET EX of the same key and value.

use crate::figure::{Figure, Goal};
use crate::load::entries;
use crate::load::pair::Pair;
use crate::stage::{key_of, prefix, Stage};
use crate::support::{Client, Reply};

const ENTRIES: u32 = 100_000;
const BATCH: usize = 100;

/// Bytes of `used_memory` for each entry.
pub fn figures(stage: &Stage) -> Vec<Figure> {
    let (cached, plain) = (stage.with_all_rows().server(), stage.plain());
    let mut ours = cached.client();
    let (loaded, rows) = growth(&mut ours, load);
    let prefix = prefix(&mut ours, "users");
    let (set, _) = growth(&mut plain.client(), |client| {
        for (number, row) in rows.iter().enumerate() {
            entries::fill(client, [format!("{prefix}{}", key_of(number as u32))].into_iter(), row);
        }
    });
    let pair = Pair { ours: loaded, theirs: set, ratio: loaded / set };
    let figure = Figure::new("memory", "memory of an entry against SET EX of the same", "bytes", pair);
    vec![figure.goal(Goal::AtMost(1.02, 1.0))]
}

/// By how much `work` makes the server grow for each entry.
fn growth<T>(client: &mut Client, work: impl FnOnce(&mut Client) -> T) -> (f64, T) {
    let used = |client: &mut Client| client.used_memory() as f64;
    let before = used(client);
    let result = work(client);
    assert_eq!(client.call(&["DBSIZE"]), Reply::Integer(ENTRIES.into()));
    ((used(client) - before) / f64::from(ENTRIES), result)
}

/// Has the entries stored by misses; returns the rows.
fn load(client: &mut Client) -> Vec<String> {
    let keys: Vec<String> = (0..ENTRIES).map(key_of).collect();
    for batch in keys.chunks(BATCH) {
        client.multiread("users", &format!("[{}]", batch.join(",")));
    }
    let prefix = prefix(client, "users");
    keys.iter().map(|key| client.call(&["GET", &format!("{prefix}{key}")]).text()).collect()
}
