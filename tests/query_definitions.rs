//! DEFINE: named queries, from the first definition to another server's copy of it.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::json;
use support::queries::{any, asking, await_result, define, is_stored, key_of, list, query, store};
use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server, FOREVER_MS};

const RECORD: &str = "pg_cache:@queries";
const TOP: &[&str] = &["NAME", "top"];
const NAMES: &str = "SELECT name FROM users ORDER BY id LIMIT 1";
const IDS: &str = "SELECT id FROM users ORDER BY id LIMIT 1";

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(10);
    database
}

/// On every server, as it is without any setting: named queries alone.
fn with_server(test: impl Fn(&Database<'_>, &Server, &mut Client)) {
    on_every_server(|kind| {
        let database = users();
        let server = Server::start(&kind, &database);
        test(&database, &server, &mut server.client());
    });
}

fn definitions(client: &mut Client) -> Vec<Reply> {
    match client.call(&["PGCACHE.DEFINE", "LIST"]) {
        Reply::Array(all) => all,
        other => panic!("{other:?}"),
    }
}

fn names(client: &mut Client) -> Vec<String> {
    let mut names: Vec<String> = definitions(client).iter().map(|definition| definition.field("name").text()).collect();
    names.sort();
    names
}

fn delete(client: &mut Client, name: &str) -> Reply {
    client.call(&["PGCACHE.DEFINE", "DEL", name])
}

#[test]
fn list_shows_what_was_defined() {
    with_server(|_, server, client| {
        assert!(definitions(client).is_empty());
        define(client, &["top", NAMES]);
        define(client, &["by-id", "SELECT * FROM users WHERE id = $1", "TTL", "60", "TAGS", "2", "a", "b c"]);
        let mut all = definitions(client);
        all.sort_by_key(|definition| definition.field("name").text());
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].field("name").text(), "by-id");
        assert_eq!(all[0].field("sql").text(), "SELECT * FROM users WHERE id = $1");
        assert_eq!(all[0].field("ttl"), Reply::Integer(60));
        assert_eq!(list(&all[0], "tags"), ["a", "b c"]);
        assert_eq!((all[1].field("name").text(), all[1].field("sql").text()), ("top".into(), NAMES.into()));
        assert!(list(&all[1], "tags").is_empty());
        let Reply::Array(maps) = server.client3().call(&["PGCACHE.DEFINE", "LIST"]) else { panic!("no list") };
        assert!(maps.iter().all(|map| matches!(map, Reply::Map(_))), "{maps:?}");
        assert!(matches!(client.call(&["PGCACHE.DEFINE", "HELP"]), Reply::Array(_)));
    });
}

#[test]
fn a_deleted_query_is_unknown() {
    with_server(|_, _, client| {
        assert_eq!(delete(client, "top").code(), "ERR", "it never was");
        assert_eq!(query(client, TOP).code(), "ERR");
        define(client, &["top", NAMES]);
        assert_eq!(query(client, TOP).json(), json!([{"name": "User 1"}]));
        assert_eq!(query(client, &["NAME", "TOP"]).code(), "ERR", "case counts");
        assert_eq!(delete(client, "top"), Reply::Simple("OK".into()));
        assert_eq!(query(client, TOP).code(), "ERR", "also where its result was stored");
        assert_eq!(delete(client, "top").code(), "ERR");
        assert!(definitions(client).is_empty());
    });
}

#[test]
fn what_a_former_definition_has_brought_is_not_served() {
    with_server(|database, _, client| {
        define(client, &["top", NAMES]);
        store(client, TOP);
        define(client, &["top", IDS]);
        assert_eq!(query(client, TOP).json(), json!([{"id": 1}]));
        assert_eq!(names(client), ["top"]);
        store(client, TOP);
        database.execute("UPDATE users SET name = 'new'");
        // Back to the first one, whose result may still be there.
        define(client, &["top", NAMES]);
        assert_eq!(query(client, TOP).json(), json!([{"name": "new"}]));
        store(client, TOP);
        database.execute("UPDATE users SET name = 'newer'");
        assert_eq!(delete(client, "top"), Reply::Simple("OK".into()));
        define(client, &["top", NAMES]);
        assert_eq!(query(client, TOP).json(), json!([{"name": "newer"}]));
    });
}

#[test]
fn what_a_former_definition_brings_after_ok_is_neither_served_nor_stored() {
    on_every_server(|kind| {
        // It waits at the lock while it is described, then while it is run.
        for is_described in [false, true] {
            let database = users();
            database.execute("CREATE TABLE slow AS SELECT 'old' AS name");
            let server = Server::start(&kind, &database);
            let mut client = server.client();
            define(&mut client, &["top", "SELECT name FROM slow"]);
            if is_described {
                query(&mut client, TOP);
                client.call(&["PGCACHE.FLUSH", "ALL"]);
            }
            let mut lock = Lock::on(&database, "slow");
            let mut early = asking(&server, TOP);
            lock.await_arrivals(1);
            define(&mut client, &["top", NAMES]);
            let new = json!([{"name": "User 1"}]);
            assert_eq!(query(&mut client, TOP).json(), new);
            let mut waits = asking(&server, TOP);
            lock.release();
            let brought = early.receive().json();
            assert!(brought == json!([{"name": "old"}]) || brought == new, "{brought}");
            assert_eq!(waits.receive().json(), new);
            for _ in 0..3 {
                assert_eq!(query(&mut client, TOP).json(), new);
            }
        }
    });
}

#[test]
fn two_names_for_one_statement_are_two_entries() {
    with_server(|database, _, client| {
        define(client, &["top", NAMES]);
        define(client, &["first", NAMES]);
        store(client, TOP);
        database.execute("UPDATE users SET name = 'new'");
        assert_eq!(query(client, &["NAME", "first"]).json(), json!([{"name": "new"}]));
        assert_eq!(query(client, TOP).json(), json!([{"name": "User 1"}]));
    });
}

#[test]
fn a_definition_is_asked_of_postgresql_with_the_first_query() {
    with_server(|database, _, client| {
        define(client, &["wrong", "SELECT id FROM users WHERE"]);
        define(client, &["early", "SELECT id FROM not_yet"]);
        let reply = query(client, &["NAME", "wrong"]);
        assert!(matches!(&reply, Reply::Error(text) if text.starts_with("PGERR 42601 ")), "{reply:?}");
        let reply = query(client, &["NAME", "early"]);
        assert!(matches!(&reply, Reply::Error(_)), "{reply:?}");
        database.execute("CREATE TABLE not_yet (id int); INSERT INTO not_yet VALUES (7)");
        await_result(client, &["NAME", "early"], &json!([{"id": 7}]));
    });
}

fn append_only(kind: &Kind, database: &Database<'_>) -> Server {
    Server::setup(kind).on(database).config("appendonly", "yes").config("appendfsync", "always").start()
}

#[test]
fn definitions_survive_a_crash_through_the_append_only_file() {
    on_every_server(|kind| {
        let server = append_only(&kind, &users());
        let mut client = server.client();
        define(&mut client, &["top", NAMES, "TTL", "60", "TAGS", "1", "a"]);
        define(&mut client, &["gone", IDS]);
        assert_eq!(delete(&mut client, "gone"), Reply::Simple("OK".into()));
        let before = definitions(&mut client);
        let server = server.crash_and_restart();
        let mut client = server.client();
        assert_eq!(definitions(&mut client), before);
        assert_eq!(query(&mut client, TOP).json(), json!([{"name": "User 1"}]));
    });
}

#[test]
fn definitions_survive_a_restart_through_the_rdb_file() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        define(&mut client, &["top", NAMES]);
        let before = definitions(&mut client);
        let (server, _) = server.shutdown_and_restart("SAVE");
        let mut client = server.client();
        assert_eq!(definitions(&mut client), before);
        assert_eq!(query(&mut client, TOP).json(), json!([{"name": "User 1"}]));
    });
}

#[test]
fn definitions_survive_what_takes_their_record_away() {
    on_every_server(|kind| {
        let server = append_only(&kind, &users());
        let mut client = server.client();
        define(&mut client, &["top", NAMES]);
        for command in [&["FLUSHALL"][..], &["FLUSHDB"], &["SWAPDB", "0", "1"], &["DEL", RECORD]] {
            client.call(command);
            assert_eq!(names(&mut client), ["top"], "{command:?}");
            eventually("the record is back", || client.exists(RECORD).then_some(()));
        }
        let forged = r#"[{"name":"evil","sql":"SELECT 1","ttl":null,"tags":[]}]"#;
        client.call(&["SET", RECORD, forged]);
        assert_eq!(names(&mut client), ["top"]);
        assert_eq!(query(&mut client, &["NAME", "evil"]).code(), "ERR");
        eventually("the record is ours again", || {
            (!client.call(&["GET", RECORD]).text().contains("evil")).then_some(())
        });
        let server = server.crash_and_restart();
        assert_eq!(names(&mut server.client()), ["top"]);
    });
}

#[test]
fn a_replica_knows_its_masters_definitions_and_reads_through() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (Server::start(&kind, &database), Server::start(&kind, &database));
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        define(&mut on_master, &["before", IDS]);
        define(&mut on_replica, &["own", IDS]);
        replica.follow(&master);
        eventually("it has its master's", || (names(&mut on_replica) == ["before"]).then_some(()));
        define(&mut on_master, &["top", NAMES]);
        assert_eq!(delete(&mut on_master, "before"), Reply::Simple("OK".into()));
        eventually("changes arrive", || (names(&mut on_replica) == ["top"]).then_some(()));
        assert_eq!(on_replica.call(&["PGCACHE.DEFINE", "x", IDS]).code(), "READONLY");
        assert_eq!(delete(&mut on_replica, "top").code(), "READONLY");
        for name in ["User 1", "new"] {
            database.execute(&format!("UPDATE users SET name = '{name}'"));
            assert_eq!(query(&mut on_replica, TOP).json(), json!([{"name": name}]), "nothing was stored");
        }
        assert_eq!(on_replica.figure("fills"), 0);
        assert!(!is_stored(&mut on_replica, TOP));
        // Once promoted it stores like any master.
        on_replica.call(&["REPLICAOF", "NO", "ONE"]);
        assert_eq!(names(&mut on_replica), ["top"]);
        store(&mut on_replica, TOP);
    });
}

/// A server whose second source is called `analytics`.
fn with_two(kind: &Kind, first: &Database<'_>, second: &Database<'_>) -> Server {
    any(kind, first)
        .setting("analytics.pg_host", "127.0.0.1")
        .setting("analytics.pg_port", &second.postgres.port().to_string())
        .setting("analytics.pg_database", &second.name)
        .setting("analytics.pg_sslmode", "disable")
        .setting("analytics.connect_timeout_ms", FOREVER_MS)
        .start()
}

#[test]
fn each_source_answers_by_its_own_tables() {
    on_every_server(|kind| {
        let (first, second) = (users(), users());
        second.execute("UPDATE users SET name = 'second'");
        let server = with_two(&kind, &first, &second);
        let mut client = server.client();
        define(&mut client, &["top", NAMES]);
        let (one, two) = (json!([{"name": "User 1"}]), json!([{"name": "second"}]));
        for words in [TOP, &[NAMES]] {
            let there = [words, &["SOURCE", "analytics"]].concat();
            let here = [words, &["SOURCE", "default"]].concat();
            assert_eq!(store(&mut client, words), one);
            assert_eq!(store(&mut client, &there), two);
            assert_eq!(query(&mut client, &here).json(), one);
            assert_ne!(key_of(&mut client, words), key_of(&mut client, &there));
            assert_eq!(key_of(&mut client, words), key_of(&mut client, &here), "the first one's name adds nothing");
        }
        let nowhere = query(&mut client, &["NAME", "top", "SOURCE", "nothing"]);
        assert!(["ERR", "PGNOTABLE"].contains(&nowhere.code()), "{nowhere:?}");
    });
}

#[test]
fn a_name_that_looks_like_anothers_key_gets_nothing_of_it() {
    on_every_server(|kind| {
        let (first, second) = (users(), users());
        second.execute("UPDATE users SET name = 'second'");
        let server = with_two(&kind, &first, &second);
        let mut client = server.client();
        define(&mut client, &["top", NAMES]);
        store(&mut client, &["NAME", "top", "SOURCE", "analytics"]);
        store(&mut client, &["NAME", "top", "[]"]);
        first.execute("UPDATE users SET name = 'changed'");
        for name in ["analytics/top", "top:", "top:[]", "top:[1]:", "@sql", "top@1"] {
            // It may be refused; where it is not, it is a query of its own.
            if client.call(&["PGCACHE.DEFINE", name, NAMES]).code() != "ERR" {
                assert_eq!(query(&mut client, &["NAME", name]).json(), json!([{"name": "changed"}]), "{name}");
            }
        }
        assert_eq!(query(&mut client, TOP).json(), json!([{"name": "User 1"}]));
    });
}

#[test]
fn what_is_no_definition_is_refused_and_changes_nothing() {
    with_server(|_, server, client| {
        define(client, &["top", NAMES, "TTL", "60"]);
        let before = definitions(client);
        let refused: [&[&[u8]]; 21] = [
            &[],
            &[b"x"],
            &[b"DEL"],
            &[b"DEL", b"top", b"x"],
            &[b"LIST", b"x", b"y", b"z"],
            &[b"", b"SELECT 1"],
            &[b"top", b"SELECT 1", b"TTL"],
            &[b"top", b"SELECT 1", b"TTL", b"0"],
            &[b"top", b"SELECT 1", b"TTL", b"-1"],
            &[b"top", b"SELECT 1", b"TTL", b"1e3"],
            &[b"top", b"SELECT 1", b"TTL", b"2147483648"],
            &[b"top", b"SELECT 1", b"TAGS"],
            &[b"top", b"SELECT 1", b"TAGS", b"-1"],
            &[b"top", b"SELECT 1", b"TAGS", b"2", b"a"],
            &[b"top", b"SELECT 1", b"TAGS", b"99999999999", b"a"],
            &[b"top", b"SELECT 1", b"SOURCE"],
            &[b"top", b"SELECT 1", b"BOGUS", b"1"],
            &[b"to\0p", b"SELECT 1"],
            &[b"to\xffp", b"SELECT 1"],
            &[b"top", b"SELECT '\xff'"],
            &[b"top", b"SELECT '\0'"],
        ];
        for words in refused {
            let command: Vec<&[u8]> = [&b"PGCACHE.DEFINE"[..]].into_iter().chain(words.iter().copied()).collect();
            let reply = client.call(&command);
            assert_eq!(reply.code(), "ERR", "{words:?}: {reply:?}");
            assert_eq!(client.call(&["PING"]), Reply::Simple("PONG".into()), "out of step: {words:?}");
        }
        assert_eq!(definitions(client), before);
        assert_eq!(definitions(&mut server.client()), before);
    });
}
