//! Standbys that are promoted: what tells of changes goes on, or is repaired by WATCH ADD.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::replication::await_replayed;
use support::watched::{await_freshness, await_name, cache, health, start_listening, watch};
use support::{eventually, on_every_server, Client, Database, Kind, Postgres, Proxy, Reply, Server};

const USER: &str = r#"{"id":1}"#;

/// A server whose PostgreSQL is the one that the proxy leads to, with an outbox on it.
fn watching(kind: &Kind, database: &Database<'_>, proxy: &Proxy) -> Server {
    let setup = Server::setup(kind).on(database).setting("pg_port", &proxy.port().to_string());
    let setup = setup.setting("invalidation", "outbox").setting("max_staleness_ms", "1000");
    let server = start_listening(setup);
    watch(&mut server.client(), "users");
    server
}

/// Promotes a standby that has all of `database`, in the place of its primary.
fn fail_over(database: &Database<'_>, standby: &Postgres, proxy: &Proxy) {
    await_replayed(database.postgres, standby);
    database.postgres.kill();
    standby.promote();
    proxy.lead_to(standby.port());
}

/// A change on `postgres` is told.
fn assert_hears(client: &mut Client, postgres: &Postgres, database: &str, name: &str) {
    await_freshness(client, "live");
    cache(client, "users", USER);
    let update = format!("UPDATE users SET name = '{name}' WHERE id = 1");
    postgres.connect(database).unwrap().batch_execute(&update).unwrap();
    await_name(client, "users", USER, name);
}

#[test]
fn an_outbox_goes_on_on_a_promoted_standby() {
    on_every_server(|kind| {
        let primary = Postgres::start();
        let database = primary.database();
        database.with_users(5);
        let proxy = Proxy::to(primary.port());
        // What is made while it follows has to reach it in the log.
        let standby = primary.standby();
        let server = watching(&kind, &database, &proxy);
        let mut client = server.client();
        cache(&mut client, "users", USER);
        fail_over(&database, &standby, &proxy);
        assert_hears(&mut client, &standby, &database.name, "after the promotion");
    });
}

/// What a promotion has left of a sequence that was not logged, and that the standby had not written to its disk.
#[test]
fn watch_add_repairs_sequences_that_a_promotion_has_emptied() {
    on_every_server(|kind| {
        let postgres = Postgres::start();
        let database = postgres.database();
        database.with_users(5);
        let proxy = Proxy::to(postgres.port());
        let server = watching(&kind, &database, &proxy);
        let mut client = server.client();
        for sequence in ["outbox_id_seq", "outbox_state_low_seq"] {
            let file = database.text(&format!("SELECT pg_relation_filepath('pgcache.{sequence}')")).unwrap();
            postgres.stop();
            fs::write(postgres.home().join("data").join(file), [0; 8192]).unwrap();
            postgres.start_again();
            await_freshness(&mut client, "suspect");
            eventually("HEALTH says why", || {
                let Reply::Bulk(why) = health(&mut client).field("freshness_reason") else { return None };
                String::from_utf8(why).unwrap().contains("WATCH ADD").then_some(())
            });
            watch(&mut client, "users");
            assert_hears(&mut client, &postgres, &database.name, sequence);
        }
        let logged = "SELECT count(*) FROM pg_class WHERE relname LIKE 'outbox%seq' AND relpersistence = 'p'";
        assert_eq!(database.number(logged), 2, "a promotion takes neither away");
    });
}
