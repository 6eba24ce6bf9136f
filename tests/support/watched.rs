//! A server that hears of changes, and what a client of it sees.

use super::client::{Client, Reply};
use super::database::Database;
use super::eventually::eventually;
use super::kind::Kind;
use super::server::{Server, Setup};

/// PostgreSQL does not say what its processes do, so that one that stands still cannot be told from one that is at work: nobody
/// but time ends its connection.
pub const UNTOLD: (&str, &str) = ("pg_options", "-c track_activities=off");

/// How triggers can tell of changes.
pub const MODES: [&str; 2] = ["notify", "outbox"];
/// How changes can be told.
pub const FEEDS: [&str; 3] = ["notify", "outbox", "wal"];

/// A server whose source tells of changes in this way and is heard.
pub fn listening(kind: &Kind, database: &Database<'_>, mode: &str) -> Server {
    start_listening(Server::setup(kind).on(database).setting("invalidation", mode))
}

/// The same with settings of its own.
pub fn start_listening(setup: Setup) -> Server {
    let server = setup.start();
    await_freshness(&mut server.client(), "live");
    server
}

/// What HEALTH says of the first source.
pub fn health(client: &mut Client) -> Reply {
    client.call(&["PGCACHE.HEALTH"]).field("sources").field("default")
}

/// Waits until HEALTH calls the first source's notices that.
pub fn await_freshness(client: &mut Client, wanted: &str) {
    eventually(&format!("the source is {wanted}"), || {
        (health(client).field("freshness") == Reply::Bulk(wanted.into())).then_some(())
    });
}

/// How many gaps of one cause HEALTH has counted.
pub fn gaps(client: &mut Client, cause: &str) -> i64 {
    match health(client).field("gaps").field(cause) {
        Reply::Integer(count) => count,
        other => panic!("{other:?}"),
    }
}

/// WATCH ADD. The first one makes the outbox; once it is found, which is a gap, entries stay. What it does before it has
/// all locks may take half a second: longer than that on a machine that stands still is told, and changes nothing.
pub fn watch(client: &mut Client, table: &str) {
    let reply = eventually("the table is not busy", || match client.call(&["PGCACHE.WATCH", "ADD", table]) {
        Reply::Error(text) if text.starts_with("PGERR 55P03 ") => None,
        reply => Some(reply),
    });
    assert_eq!(reply, Reply::Simple("OK".into()));
    if health(client).field("invalidation").text() == "outbox" {
        eventually("the outbox is found", || (gaps(client, "recreated") > 0).then_some(()));
    }
}

/// The `name` of a row.
pub fn name_of(reply: &Reply) -> String {
    reply.json()["name"].as_str().unwrap().to_owned()
}

/// Reads until the row's name is `wanted`: what is there before is a moment old at most, and not for ever.
pub fn await_name(client: &mut Client, table: &str, key: &str, wanted: &str) {
    eventually(&format!("{key} is {wanted}"), || {
        let reply = client.read(table, key);
        (matches!(reply, Reply::Bulk(_)) && name_of(&reply) == wanted).then_some(())
    });
}

/// Whether INSPECT says that an entry stands.
pub fn is_cached(client: &mut Client, table: &str, key: &str) -> bool {
    client.call(&["PGCACHE.INSPECT", table, key]).field("cached") == Reply::Integer(1)
}

/// Reads until the entry stands: a gap that ends an epoch may come in between.
pub fn cache(client: &mut Client, table: &str, key: &str) -> Reply {
    eventually(&format!("{key} is cached"), || {
        let reply = client.read(table, key);
        is_cached(client, table, key).then_some(reply)
    })
}
