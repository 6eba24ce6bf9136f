//! Reading: every way in which rows of a relation are loaded, and what came of it.

use std::collections::BTreeMap;

use super::stage::{Relation, Stage};
use crate::query_attacks::slice::Tally;
use crate::support::{Client, Reply, Server};

/// From so many keys on another statement loads them.
const MANY: usize = 17;
/// How many rows `other` has.
const OTHERS: usize = 20;

/// Reads these relations of the stage, and a true row by the same session after each.
pub fn read(stage: &Stage, server: &Server, names: &[String]) -> Tally {
    let mut tally = Tally::default();
    let mut client = server.client();
    for (turn, name) in names.iter().enumerate() {
        let relation = stage.relations.iter().find(|relation| relation.name == *name).unwrap();
        for reply in loads(&mut client, relation) {
            tally.count(name, &reply, false);
        }
        tally.wrong.extend(forged(&mut client, 1 + turn % OTHERS).map(|what| format!("{name}\n  {what}")));
    }
    tally
}

/// Every way to load its rows.
pub fn loads(client: &mut Client, relation: &Relation) -> [Reply; 3] {
    let keys = |from, to| {
        let keys: Vec<String> = (from..to).map(|n| relation.shape.key(n)).collect();
        format!("[{}]", keys.join(","))
    };
    [
        client.read(&relation.name, &relation.shape.key(1)),
        client.multiread(&relation.name, &keys(2, 4)),
        client.multiread(&relation.name, &keys(4, 4 + MANY)),
    ]
}

/// What is wrong with row `n` of a plain table that is loaded now.
pub fn forged(client: &mut Client, n: usize) -> Option<String> {
    let key = format!(r#"{{"id":{n}}}"#);
    client.invalidate("other", &key);
    let reply = client.read("other", &key);
    let wanted = format!(r#"{{"id":{n},"note":"other {n}"}}"#);
    (reply != Reply::Bulk(wanted.into())).then(|| format!("then READ of {n} returned {reply:?}"))
}

/// How many relations of each shape brought a row.
pub fn by_shape(stage: &Stage, server: &Server) -> BTreeMap<&'static str, usize> {
    let mut client = server.client();
    let mut brought = BTreeMap::new();
    for relation in &stage.relations {
        let is_row = loads(&mut client, relation).iter().any(|reply| matches!(reply, Reply::Bulk(_)));
        *brought.entry(relation.shape.name).or_default() += usize::from(is_row);
    }
    brought
}
