//! Many defined queries: to define one costs what one costs, and nothing is lost or believed that would not be with few.
#![allow(clippy::unwrap_used)]

mod support;

use support::queries::define;
use support::{eventually, on_every_server, Client, Database, Postgres, Reply, Server};

const QUERIES: &str = "pg_cache:@queries";
const CHANGES: &str = "pg_cache:@queries.changes";
const COUNT: usize = 300;

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(3);
    database
}

fn name(number: usize) -> String {
    format!("q{number:03}")
}

fn define_many(client: &mut Client, count: usize) {
    (0..count).for_each(|number| define(client, &[&name(number), "SELECT id FROM users"]));
}

/// What LIST says: names with their SQL.
fn known(client: &mut Client) -> Vec<(String, String)> {
    let Reply::Array(all) = client.call(&["PGCACHE.DEFINE", "LIST"]) else { panic!("no list") };
    all.iter().map(|one| (one.field("name").text(), one.field("sql").text())).collect()
}

fn await_known(client: &mut Client, wanted: &[(String, String)]) {
    eventually("the queries are known", || (known(client) == wanted).then_some(()));
}

fn stored(client: &mut Client, key: &str) -> String {
    client.call(&["GET", key]).text()
}

/// Defines one anew and removes one, both beside the record of all.
fn change(client: &mut Client) {
    eventually("there is room beside the record", || {
        let record = stored(client, QUERIES);
        define(client, &[&name(7), "SELECT name FROM users"]);
        (stored(client, QUERIES) == record && client.exists(CHANGES)).then_some(())
    });
    let reply = client.call(&["PGCACHE.DEFINE", "DEL", &name(8)]);
    assert_eq!(reply, Reply::Simple("OK".into()));
}

#[test]
fn one_definition_does_not_write_all_of_them() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        let mut wholes = 0;
        let mut record = String::new();
        for number in 0..COUNT {
            define(&mut client, &[&name(number), "SELECT id FROM users"]);
            let now = stored(&mut client, QUERIES);
            wholes += usize::from(now != record);
            record = now;
        }
        // Each of the first 64, and then one of many.
        assert!((64..100).contains(&wholes), "{wholes}");
    });
}

#[test]
fn many_definitions_and_their_changes_survive_restarts_flushes_and_reloads_and_reach_replicas() {
    on_every_server(|kind| {
        for append_only in ["no", "yes"] {
            let database = users();
            let server = Server::setup(&kind).on(&database).config("appendonly", append_only).start();
            let replica = Server::start(&kind, &database);
            let mut client = server.client();
            define_many(&mut client, COUNT);
            replica.follow(&server);
            change(&mut client);
            let wanted = known(&mut client);
            assert_eq!((wanted.len(), wanted[7].1.as_str()), (COUNT - 1, "SELECT name FROM users"));
            await_known(&mut replica.client(), &wanted);
            let (server, _) = server.shutdown_and_restart("SAVE");
            let mut client = server.client();
            await_known(&mut client, &wanted);
            for command in [&["DEBUG", "RELOAD"][..], &["FLUSHALL"], &["SWAPDB", "0", "1"]] {
                assert_eq!(client.call(command), Reply::Simple("OK".into()));
                assert_eq!(known(&mut client), wanted, "{command:?}");
                eventually("the record is there", || client.exists(QUERIES).then_some(()));
                change_again(&mut client);
                assert_eq!(known(&mut client), wanted, "{command:?}");
            }
            let server = match append_only {
                "yes" => server.crash_and_restart(),
                _ => server.shutdown_and_restart("SAVE").0,
            };
            await_known(&mut server.client(), &wanted);
            assert_eq!(server.client().figure("rejected_records"), 0);
            // The master has another port now.
            replica.follow(&server);
            await_known(&mut replica.client(), &wanted);
            let mut promoted = replica.client();
            assert_eq!(promoted.call(&["REPLICAOF", "NO", "ONE"]), Reply::Simple("OK".into()));
            define(&mut promoted, &["later", "SELECT id FROM users"]);
            let wanted = known(&mut promoted);
            assert_eq!(wanted.len(), COUNT);
            let (replica, _) = replica.shutdown_and_restart("SAVE");
            await_known(&mut replica.client(), &wanted);
        }
    });
}

/// The same as it was, again.
fn change_again(client: &mut Client) {
    define(client, &[&name(7), "SELECT name FROM users"]);
    define(client, &[&name(7), "SELECT name FROM users"]);
}

#[test]
fn changes_of_an_earlier_record_and_forged_ones_are_not_believed() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::setup(&kind).on(&database).config("enable-module-command", "yes").start();
        let mut client = server.client();
        define_many(&mut client, COUNT);
        change(&mut client);
        let earlier = stored(&mut client, CHANGES);
        // All are defined as at first, and then as many more as it takes for the record of all to be written.
        define_many(&mut client, COUNT);
        let mut count = COUNT;
        eventually("all are written", || {
            let record = stored(&mut client, QUERIES);
            define(&mut client, &[&name(count), "SELECT id FROM users"]);
            count += 1;
            (stored(&mut client, QUERIES) != record).then_some(())
        });
        let wanted = known(&mut client);
        assert_eq!((wanted.len(), wanted[7].1.as_str()), (count, "SELECT id FROM users"));
        client.unload_module();
        let forged = earlier.replace("SELECT name FROM users", "SELECT email FROM users");
        let mut server = server;
        for (changes, rejected) in [(earlier, 0), (forged, 1)] {
            let mut client = server.client();
            if client.call(&["PGCACHE.HEALTH"]).code() != "ERR" {
                client.unload_module();
            }
            assert_eq!(client.call(&["SET", CHANGES, &changes]), Reply::Simple("OK".into()));
            server = server.shutdown_and_restart("SAVE").0;
            let mut client = server.client();
            await_known(&mut client, &wanted);
            assert_eq!(client.figure("rejected_records"), rejected, "{changes}");
        }
    });
}
