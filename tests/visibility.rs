//! Changes that the write-ahead log tells before anybody sees them: what is read meanwhile is answered, and kept by nobody.
#![allow(clippy::unwrap_used)]

mod support;

use std::thread;

use support::watched::start_listening;
use support::{eventually, on_every_server, Client, Database, Postgres, Reply, Server};

const LOGICAL: &str = "wal_level = logical\nmax_replication_slots = 20\nmax_wal_senders = 20\n";
const ONE: &str = r#"{"id":1}"#;
const TWO: &str = r#"{"id":2}"#;
const BY_MAIL: &str = r#"{"email":"user1@example.com"}"#;
const NAMES: &str = "SELECT name FROM users WHERE id = 1";

/// Runs `test` with a server that is told by the log of the table `users`.
fn with(settings: &[(&str, &str)], test: impl Fn(&Database<'_>, &mut Client)) {
    on_every_server(|kind| {
        let postgres = Postgres::start_with(LOGICAL);
        let database = postgres.database();
        database.with_users(2);
        database.execute("CREATE PUBLICATION pgcache FOR TABLE users");
        let setup = Server::setup(&kind).on(&database).setting("invalidation", "wal").setting("query", "any");
        let setup = settings.iter().fold(setup, |setup, (name, value)| setup.setting(name, value));
        let server = start_listening(setup);
        test(&database, &mut server.client());
    });
}

/// Runs `test` while an update of row 1 to the name `new` is written to the log and waits for a standby that never comes. Returns once
/// it is committed and visible.
fn while_invisible(database: &Database<'_>, client: &mut Client, test: impl FnOnce(&mut Client)) {
    database.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    database.execute("SELECT pg_reload_conf()");
    eventually("the setting", || (database.text("SHOW synchronous_standby_names")? == "nobody").then_some(()));
    let (notices, mut writer) = (client.figure("notices"), database.connect());
    let update = "UPDATE users SET name = 'new' WHERE id = 1";
    let writer = thread::spawn(move || writer.batch_execute(update));
    eventually("the notice", || (client.figure("notices") > notices).then_some(()));
    test(client);
    database.execute("ALTER SYSTEM RESET synchronous_standby_names");
    database.execute("SELECT pg_reload_conf()");
    writer.join().unwrap().unwrap();
}

fn name(client: &mut Client, key: &str) -> String {
    client.read("users", key).json()["name"].as_str().unwrap().to_owned()
}

/// The name of row 1 by a key of its own, by another unique key, among others, and by a query.
fn names(client: &mut Client) -> [String; 4] {
    let all = client.multiread("users", "[{\"id\":2},{\"id\":1}]").json();
    let rows = client.call(&["PGCACHE.QUERY", NAMES]).json();
    let of = |value: &serde_json::Value| value["name"].as_str().unwrap().to_owned();
    [name(client, ONE), name(client, BY_MAIL), of(&all[1]), of(&rows[0])]
}

#[test]
fn what_is_read_without_a_change_that_was_told_is_not_stored() {
    with(&[], |database, client| {
        let before = names(client);
        let (old, hits) = (before[0].clone(), client.figure("hits"));
        assert!(before.iter().all(|name| *name == old));
        assert_eq!(names(client), before);
        assert_eq!(client.figure("hits"), hits + 5);
        while_invisible(database, client, |client| {
            let (hits, fills) = (client.figure("hits"), client.figure("fills"));
            for _ in 0..3 {
                assert_eq!(names(client), before, "PostgreSQL shows nothing else");
            }
            assert_eq!((client.figure("hits") - hits, client.figure("fills") - fills), (3, 0), "row 2 is hit");
            assert_eq!(client.figure("not_visible"), 12);
        });
        assert_eq!(names(client), ["new"; 4], "as soon as it is committed");
        let hits = client.figure("hits");
        assert_eq!(names(client), ["new"; 4]);
        assert_eq!(client.figure("hits"), hits + 5, "and it is stored");
    });
}

#[test]
fn another_row_is_stored_meanwhile_and_asks_nothing_more() {
    with(&[], |database, client| {
        client.read("users", ONE);
        while_invisible(database, client, |client| {
            let guarded = client.figure("guarded");
            client.read("users", TWO);
            let hits = client.figure("hits");
            client.read("users", TWO);
            assert_eq!((client.figure("hits"), client.figure("guarded")), (hits + 1, guarded));
        });
    });
}

/// What the guard is for.
#[test]
fn without_the_guard_an_old_row_stays() {
    with(&[("test_hooks", "yes")], |database, client| {
        client.set("test_unguarded", "yes");
        let old = name(client, ONE);
        while_invisible(database, client, |client| assert_eq!(name(client, ONE), old));
        assert_eq!(name(client, ONE), old);
        assert_eq!(client.invalidate("users", ONE), Reply::Simple("OK".into()));
        assert_eq!(name(client, ONE), "new");
    });
}
