//! Tags: results that are dropped together, by a name that the application has given them.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{json, Value};
use support::queries::{any, define, during_a_load, flush_tags, is_stored, key_of, query, store};
use support::{eventually, on_every_server, Client, Database, Kind, Postgres, Reply, Server};

const NAMES: &str = "SELECT name FROM users WHERE id = 1";
const IDS: &str = "SELECT id, name FROM users WHERE id = 2";

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(10);
    database
}

/// On every server: a database with users whom nobody watches, so that nothing but the commands below drops a result.
fn with_any(test: impl Fn(&Database<'_>, &Server, &mut Client)) {
    on_every_server(|kind| {
        let database = users();
        let server = any(&kind, &database).start();
        test(&database, &server, &mut server.client());
    });
}

fn rename(database: &Database<'_>, name: &str) {
    database.execute(&format!("UPDATE users SET name = '{name}'"));
}

/// The name in the first row.
fn name(client: &mut Client, words: &[&str]) -> Value {
    query(client, words).json()[0]["name"].clone()
}

#[test]
fn a_flushed_tag_drops_what_carries_it_and_nothing_else() {
    with_any(|database, _, client| {
        let red: &[&str] = &[NAMES, "TAGS", "1", "red"];
        let both: &[&str] = &[IDS, "TAGS", "2", "red", "blue"];
        let blue: &[&str] = &[IDS, "TAGS", "1", "blue"];
        let (plain, reddish): (&[&str], &[&str]) = (&[NAMES], &[NAMES, "TAGS", "1", "reddish"]);
        for words in [red, both, blue, plain, reddish] {
            store(client, words);
        }
        rename(database, "new");
        assert_eq!(flush_tags(client, &["red"]), Reply::Integer(1));
        for words in [red, both] {
            assert!(!is_stored(client, words), "{words:?}");
            assert_eq!(name(client, words), "new", "{words:?}");
        }
        for words in [blue, plain, reddish] {
            assert_ne!(name(client, words), "new", "{words:?}");
        }
        // What was stored since is kept, until its own turn.
        store(client, both);
        rename(database, "newer");
        assert_eq!(name(client, both), "new");
        assert_eq!(flush_tags(client, &["blue"]), Reply::Integer(1));
        assert_eq!(name(client, both), "newer");
        assert_eq!(name(client, blue), "newer");
        assert_eq!(name(client, red), "new");
    });
}

#[test]
fn known_tags_are_counted_once() {
    with_any(|_, _, client| {
        assert_eq!(flush_tags(client, &["red"]), Reply::Integer(0), "nobody has carried it");
        store(client, &[NAMES, "TAGS", "2", "red", "blue"]);
        store(client, &[IDS, "TAGS", "1", "blue"]);
        assert_eq!(flush_tags(client, &["red", "red"]), Reply::Integer(1));
        assert_eq!(flush_tags(client, &["red", "green", "blue", "Red"]), Reply::Integer(2));
        assert_eq!(flush_tags(client, &["green", "Red"]), Reply::Integer(0));
        assert_eq!(client.call(&["PGCACHE.FLUSH", "TAG"]).code(), "ERR");
        assert_eq!(client.call(&["PGCACHE.FLUSH", "tag", "blue"]), Reply::Integer(1));
    });
}

#[test]
fn tags_of_the_definition_and_of_the_call_both_count() {
    with_any(|database, _, client| {
        define(client, &["one", NAMES, "TAGS", "2", "always", "users"]);
        let (plain, called): (&[&str], &[&str]) = (&["NAME", "one"], &["NAME", "one", "[]", "TAGS", "1", "mine"]);
        for (tag, drops_plain, old, new) in
            [("mine", false, "User 1", "a"), ("always", true, "a", "b"), ("users", true, "b", "c")]
        {
            if old != "User 1" {
                flush_tags(client, &["always"]);
            }
            store(client, plain);
            store(client, called);
            rename(database, new);
            assert_eq!(flush_tags(client, &[tag]), Reply::Integer(1), "{tag}");
            assert_eq!(name(client, called), new, "{tag}");
            assert_eq!(name(client, plain), if drops_plain { new } else { old }, "{tag}");
        }
    });
}

#[test]
fn the_same_query_with_other_tags_is_another_entry() {
    with_any(|database, _, client| {
        let tagged: &[&str] = &[NAMES, "TAGS", "1", "red"];
        store(client, tagged);
        rename(database, "new");
        assert_eq!(name(client, &[NAMES]), "new");
        assert_eq!(name(client, &[NAMES, "TAGS", "1", "blue"]), "new");
        assert_eq!(name(client, &[NAMES, "TAGS", "2", "red", "blue"]), "new");
        assert_eq!(name(client, tagged), "User 1");
        assert_ne!(key_of(client, &[NAMES]), key_of(client, tagged));
        // One tag with a comma, a space or a colon is not two.
        for (one, two) in [("a,b", ["a", "b"]), ("a b", ["a", "b"]), ("a:b", ["a", "b"])] {
            let two = key_of(client, &[NAMES, "TAGS", "2", two[0], two[1]]);
            assert_ne!(key_of(client, &[NAMES, "TAGS", "1", one]), two, "{one}");
        }
    });
}

#[test]
fn a_load_under_way_during_a_flush_of_its_tag_is_answered_and_not_stored() {
    with_any(|database, server, client| {
        let red: &[&str] = &[NAMES, "TAGS", "1", "red"];
        let blue: &[&str] = &[NAMES, "TAGS", "1", "blue"];
        // Before it was ever run, and after.
        for round in 0..2 {
            let reply = during_a_load(server, database, "users", red, |client| {
                flush_tags(client, &["red"]);
            });
            assert_eq!(reply.json()[0]["name"], "User 1", "{round}");
            assert!(!is_stored(client, red), "{round}");
            assert_eq!(store(client, red), json!([{"name": "User 1"}]), "{round}");
            assert_eq!(flush_tags(client, &["red"]), Reply::Integer(1));
        }
        // A tag of others does it no harm.
        store(client, &[IDS, "TAGS", "1", "red"]);
        store(client, blue);
        flush_tags(client, &["blue"]);
        during_a_load(server, database, "users", blue, |client| {
            assert_eq!(flush_tags(client, &["red"]), Reply::Integer(1));
        });
        assert!(is_stored(client, blue));
    });
}

#[test]
fn what_was_flushed_gives_its_memory_back() {
    with_any(|_, _, client| {
        let (red, blue): (&[&str], &[&str]) = (&[NAMES, "TAGS", "1", "red"], &[NAMES, "TAGS", "1", "blue"]);
        let keys = [red, blue].map(|words| {
            store(client, words);
            key_of(client, words)
        });
        assert!(client.exists(&keys[0]) && client.exists(&keys[1]));
        assert_eq!(flush_tags(client, &["red"]), Reply::Integer(1));
        eventually("the entry is swept", || (!client.exists(&keys[0])).then_some(()));
        assert!(client.exists(&keys[1]), "what is current stays");
    });
}

#[test]
fn a_flush_counts_in_transactions_and_scripts() {
    with_any(|database, _, client| {
        let red: &[&str] = &[NAMES, "TAGS", "1", "red"];
        store(client, red);
        client.call(&["MULTI"]);
        flush_tags(client, &["red"]);
        query(client, red);
        let Reply::Array(replies) = client.call(&["EXEC"]) else { panic!("no list") };
        assert_eq!((&replies[0], replies[1].code()), (&Reply::Integer(1), "PGMISS"));
        store(client, red);
        rename(database, "new");
        let script = "return redis.call('PGCACHE.FLUSH', 'TAG', 'red')";
        assert_eq!(client.call(&["EVAL", script, "0"]), Reply::Integer(1));
        assert_eq!(name(client, red), "new");
    });
}

#[test]
fn a_flush_tells_an_event_and_runs_hooks_for_each_tag() {
    on_every_server(|kind| {
        let server = any(&kind, &users()).setting("events", "tag_invalidate").start();
        let mut client = server.client();
        let [mut events, mut hooked] = ["pg_cache_events", "told"].map(|channel| {
            let mut listener = server.client();
            listener.call(&["SUBSCRIBE", channel]);
            listener
        });
        let hook = ["PGCACHE.HOOK", "ADD", "t", "tag_invalidate", "PUBLISH", "told"];
        assert_eq!(client.call(&hook), Reply::Simple("OK".into()));
        let odd = "b \"ü\\";
        store(&mut client, &[NAMES, "TAGS", "2", "red", odd]);
        assert_eq!(flush_tags(&mut client, &["red", odd]), Reply::Integer(2));
        for listener in [&mut events, &mut hooked] {
            let mut tags: Vec<String> = (0..2)
                .map(|_| {
                    let event = message(listener);
                    assert_eq!(event["type"], "tag_invalidate", "{event}");
                    assert!(event["ts"].as_u64().unwrap() > 0 && event.get("key").is_none(), "{event}");
                    event["tag"].as_str().unwrap().to_owned()
                })
                .collect();
            tags.sort();
            assert_eq!(tags, [odd, "red"]);
        }
    });
}

/// The next message of a channel, as JSON.
fn message(listener: &mut Client) -> Value {
    let Reply::Array(message) = listener.receive() else { panic!("no message") };
    serde_json::from_str(&message[2].text()).unwrap()
}

#[test]
fn a_flush_needs_the_right_to_every_key() {
    with_any(|database, server, client| {
        let red: &[&str] = &[NAMES, "TAGS", "1", "red"];
        store(client, red);
        rename(database, "new");
        for (rules, code) in [
            ("~pg_cache:users:*", "NOPERM"),
            ("~pg_cache:@query:*", "NOPERM"),
            ("~pg_cache:@sql:*", "NOPERM"),
            ("%R~pg_cache:*", "NOPERM"),
            ("~pg_cache:*", ""),
        ] {
            client.call(&["ACL", "SETUSER", "eve", "reset", "on", "nopass", "+@all", rules]);
            let mut eve = server.client();
            eve.call(&["AUTH", "eve", "x"]);
            assert_eq!(flush_tags(&mut eve, &["red"]).code(), code, "{rules}");
            assert_eq!(name(client, red), if code.is_empty() { "new" } else { "User 1" }, "{rules}");
        }
    });
}

fn append_only(kind: &Kind, database: &Database<'_>) -> Server {
    any(kind, database).config("appendonly", "yes").config("appendfsync", "always").start()
}

#[test]
fn what_was_flushed_does_not_come_back_with_a_restart() {
    on_every_server(|kind| {
        let database = users();
        let mut server = append_only(&kind, &database);
        let red: &[&str] = &[NAMES, "TAGS", "1", "red"];
        for (number, old, new) in [(1, "User 1", "a"), (2, "a", "b"), (3, "b", "c")] {
            let mut client = server.client();
            store(&mut client, red);
            let key = key_of(&mut client, red);
            let Reply::Bulk(entry) = client.call(&["GET", &key]) else { panic!("no entry") };
            rename(&database, new);
            assert_eq!(name(&mut client, red), old);
            assert_eq!(flush_tags(&mut client, &["red"]), Reply::Integer(1), "{number}");
            // Put back as a slow sweep would leave it.
            client.call(&[b"SET", key.as_bytes(), &entry]);
            server = server.crash_and_restart();
            assert_eq!(name(&mut server.client(), red), new, "{number}");
        }
    });
}

#[test]
fn a_flush_right_after_a_restart_drops_what_was_saved() {
    on_every_server(|kind| {
        let database = users();
        let server = any(&kind, &database).start();
        let red: &[&str] = &[NAMES, "TAGS", "1", "red"];
        store(&mut server.client(), red);
        rename(&database, "new");
        let (server, _) = server.shutdown_and_restart("SAVE");
        let mut client = server.client();
        // In this run nobody has carried it yet, whatever the count says of that.
        assert!(matches!(flush_tags(&mut client, &["red"]), Reply::Integer(0 | 1)));
        assert_eq!(name(&mut client, red), "new");
    });
}

#[test]
fn a_flush_reaches_replicas_which_refuse_it_themselves() {
    on_every_server(|kind| {
        let database = users();
        let (master, replica) = (any(&kind, &database).start(), any(&kind, &database).start());
        replica.follow(&master);
        let (mut on_master, mut on_replica) = (master.client(), replica.client());
        let red: &[&str] = &[NAMES, "TAGS", "1", "red"];
        store(&mut on_master, red);
        let key = key_of(&mut on_master, red);
        eventually("the entry has come", || on_replica.exists(&key).then_some(()));
        assert_eq!(name(&mut on_replica, red), "User 1");
        rename(&database, "new");
        assert_eq!(flush_tags(&mut on_replica, &["red"]).code(), "READONLY");
        assert_eq!(flush_tags(&mut on_master, &["red"]), Reply::Integer(1));
        eventually("the replica drops it", || (name(&mut on_replica, red) == "new").then_some(()));
    });
}

#[test]
fn a_thousand_tags_of_one_entry_drop_it_each() {
    with_any(|_, _, client| {
        let tags: Vec<String> = (0..1000).map(|number| format!("tag {number}")).collect();
        let mut words = vec![NAMES, "TAGS", "1000"];
        words.extend(tags.iter().map(String::as_str));
        for tag in [&tags[0], &tags[999]] {
            match query(client, &words) {
                Reply::Bulk(_) => {
                    store(client, &words);
                    assert_eq!(flush_tags(client, &[tag]), Reply::Integer(1));
                    assert!(!is_stored(client, &words));
                }
                // There may be a limit, and then it is said.
                refusal => assert_eq!(refusal.code(), "ERR", "{refusal:?}"),
            }
        }
    });
}
