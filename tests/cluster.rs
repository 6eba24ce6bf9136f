//! A cluster: where entries live, what is sent to the wrong node, and what comes from another one.
#![allow(clippy::unwrap_used)]

mod support;

use support::cluster::{slot_of, Cluster, ClusterClient};
use support::watched::{await_freshness, watch};
use support::{eventually, on_every_server, Client, Database, Kind, Postgres, Reply};

fn key(id: usize) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn name_of(reply: &Reply) -> String {
    reply.json()["name"].as_str().unwrap().to_owned()
}

fn figure(cluster: &Cluster, node: usize, name: &str) -> i64 {
    cluster[node].client().figure(name) as i64
}

/// The keys of a node that begin so.
fn keys(cluster: &Cluster, node: usize, start: &str) -> Vec<String> {
    match cluster[node].client().call(&["KEYS", &format!("{start}*")]) {
        Reply::Array(keys) => keys.iter().map(Reply::text).collect(),
        other => panic!("{other:?}"),
    }
}

/// Nodes that all hear of changes of `users`, which is watched.
fn with_cluster(replicas: usize, rows: u32, test: impl Fn(&Kind, &mut Cluster, &Database<'_>, &mut ClusterClient)) {
    with_settings(replicas, rows, &[], test);
}

/// The same with settings of its own.
fn with_settings(
    replicas: usize,
    rows: u32,
    settings: &[(&str, &str)],
    test: impl Fn(&Kind, &mut Cluster, &Database<'_>, &mut ClusterClient),
) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(rows);
        let mut cluster = Cluster::start(&kind, 3, replicas, |node| {
            let node = node.on(&database).setting("query", "any").config("appendonly", "yes");
            settings.iter().fold(node, |node, (name, value)| node.setting(name, value))
        });
        watch(&mut cluster[0].client(), "users");
        for node in 0..cluster.len() {
            await_freshness(&mut cluster[node].client(), "live");
        }
        let mut client = cluster.client();
        test(&kind, &mut cluster, &database, &mut client);
    });
}

/// Reads until the node that serves the row has it as an entry.
fn cache(client: &mut ClusterClient, id: usize) -> Reply {
    eventually("the row is cached", || {
        let reply = client.call(&["PGCACHE.READ", "users", &key(id)]);
        let is_cached = client.call(&["PGCACHE.INSPECT", "users", &key(id)]).field("cached") == Reply::Integer(1);
        is_cached.then_some(reply)
    })
}

fn digest(client: &mut Client) -> Reply {
    client.call(&["DEBUG", "DIGEST"])
}

#[test]
fn each_row_is_stored_once_on_its_owner_and_its_replica_has_the_same() {
    const ROWS: usize = 10_000;
    with_cluster(1, ROWS as u32, |_, cluster, database, client| {
        for id in 1..=ROWS {
            assert_eq!(name_of(&client.call(&["PGCACHE.READ", "users", &key(id)])), format!("User {id}"));
        }
        let entries: Vec<Vec<String>> = (0..3).map(|node| keys(cluster, node, "pg_cache:users")).collect();
        assert_eq!(entries.iter().map(Vec::len).sum::<usize>(), ROWS);
        for (node, keys) in entries.iter().enumerate() {
            assert!(keys.iter().all(|key| cluster.owner_of(key) == node));
        }
        database.execute("UPDATE users SET name = 'new' WHERE id % 3 = 0; DELETE FROM users WHERE id % 7 = 0");
        cluster[0].client().call(&["PGCACHE.BARRIER", "10000"]);
        for node in 0..3 {
            let (mut one, mut replica) = (cluster[node].client(), cluster[cluster.replicas_of(node)[0]].client());
            eventually("the replica has the same", || (digest(&mut one) == digest(&mut replica)).then_some(()));
            assert_eq!(figure(cluster, node, "misrouted"), 0);
        }
    });
}

#[test]
fn a_spelling_that_leads_elsewhere_is_read_through_and_nothing_else() {
    with_cluster(0, 100, |_, cluster, _, client| {
        for id in 1..=20 {
            cache(client, id);
            let spaced = format!(r#"{{ "id": {id} }}"#);
            if slot_of(&spaced) == slot_of(key(id)) {
                continue;
            }
            assert_eq!(name_of(&client.call(&["PGCACHE.READ", "users", &spaced])), format!("User {id}"));
            let inspected = client.call(&["PGCACHE.INSPECT", "users", &spaced]);
            assert_eq!(inspected.field("send_as"), Reply::Bulk(key(id).into_bytes()));
            let written = client.call(&["PGCACHE.WRITE", "users", &spaced, &format!(r#"{{"id":{id}}}"#)]);
            assert!(format!("{written:?}").contains("send_as"), "{written:?}");
            assert_eq!(client.call(&["PGCACHE.INVALIDATE", "users", &spaced]).code(), "ERR");
            assert_eq!(
                client.call(&["PGCACHE.KEY", "users", &spaced]).text().split_once(":{").unwrap().1,
                &key(id)[1..]
            );
        }
        let misrouted: i64 = (0..3).map(|node| figure(cluster, node, "misrouted")).sum();
        assert!(misrouted >= 30, "{misrouted}");
        assert_eq!((0..3).map(|node| keys(cluster, node, "pg_cache:users").len()).sum::<usize>(), 20);
    });
}

#[test]
fn a_multiread_answers_all_rows_and_keeps_those_of_its_node() {
    with_cluster(0, 100, |_, cluster, _, client| {
        let list = format!("[{}]", (1..=60).map(key).collect::<Vec<_>>().join(","));
        let names = |reply: &Reply| -> Vec<String> {
            reply.json().as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
        };
        let wanted: Vec<String> = (1..=60).map(|id| format!("User {id}")).collect();
        let owner = cluster.owner_of(&key(1));
        let here = (1..=60).filter(|id| cluster.owner_of(&key(*id)) == owner).count();
        eventually("what belongs here is a hit", || {
            let hits = figure(cluster, owner, "hits");
            assert_eq!(names(&client.call(&["PGCACHE.MULTIREAD", "users", &list])), wanted);
            (figure(cluster, owner, "hits") == hits + here as i64).then_some(())
        });
        assert_eq!(keys(cluster, owner, "pg_cache:users").len(), here);
    });
}

#[test]
fn a_query_is_stored_where_it_is_asked() {
    with_cluster(0, 100, |_, cluster, _, client| {
        for node in 0..3 {
            let mut client = cluster[node].client();
            assert_eq!(
                client.call(&["PGCACHE.DEFINE", "top", "SELECT count(*) FROM users"]),
                Reply::Simple("OK".into())
            );
        }
        let owner = cluster.owner_of("top");
        for question in [&["PGCACHE.QUERY", "NAME", "top"][..], &["PGCACHE.QUERY", "SELECT $1::int AS n", "[5]"]] {
            let hits: i64 = (0..3).map(|node| figure(cluster, node, "hits")).sum();
            let first = client.call(question);
            eventually("it is cached", || {
                assert_eq!(client.call(question), first);
                ((0..3).map(|node| figure(cluster, node, "hits")).sum::<i64>() > hits).then_some(())
            });
        }
        assert_eq!(keys(cluster, owner, "pg_cache:@query:top:").len(), 1);
        assert_eq!(cluster[1].client().call(&["PGCACHE.QUERY", "SELECT 1 AS n"]).json()[0]["n"], 1, "it has no key");
    });
}

#[test]
fn what_somebody_else_puts_under_an_entrys_key_is_never_served() {
    with_cluster(0, 100, |_, cluster, database, client| {
        cache(client, 1);
        let cache_key = client.call(&["PGCACHE.KEY", "users", &key(1)]).text();
        let Reply::Bulk(dump) = client.call(&["DUMP", &cache_key]) else { panic!("it was stored") };
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        let owner = cluster.owner_of(&key(1));
        eventually("the change was heard", || {
            (cluster[owner].client().call(&["EXISTS", &cache_key]) == Reply::Integer(0)).then_some(())
        });
        for _ in 0..20 {
            client.call(&[b"RESTORE", cache_key.as_bytes(), b"0", &dump, b"REPLACE"]);
            assert_eq!(name_of(&client.call(&["PGCACHE.READ", "users", &key(1)])), "new");
        }
        assert!(figure(cluster, owner, "arrivals") > 0);
    });
}

#[test]
fn while_slots_move_every_row_is_right_and_all_of_them_load_again() {
    with_cluster(0, 400, |_, cluster, database, client| {
        (1..=400).for_each(|id| drop(client.call(&["PGCACHE.READ", "users", &key(id)])));
        let mut slots: Vec<u16> =
            (1..=400).map(|id| slot_of(key(id))).filter(|slot| cluster.node_of(*slot) == 0).collect();
        slots.sort_unstable();
        slots.dedup();
        for (round, to) in [1, 0].into_iter().enumerate() {
            database.execute(&format!("UPDATE users SET name = 'round {round}' WHERE id % 2 = 0"));
            cluster.move_slots(slots.iter().copied(), to);
            database.execute(&format!("UPDATE users SET name = 'round {round}' WHERE id % 2 = 1"));
            for node in 0..3 {
                assert!(matches!(cluster[node].client().call(&["PGCACHE.BARRIER", "10000"]), Reply::Integer(_)));
            }
            for id in 1..=400 {
                let reply = client.call(&["PGCACHE.READ", "users", &key(id)]);
                assert_eq!(name_of(&reply), format!("round {round}"), "{id}");
            }
        }
        assert!(figure(cluster, 0, "arrivals") + figure(cluster, 1, "arrivals") > 0);
    });
}

#[test]
fn while_a_slot_is_on_its_way_reads_go_on_and_writes_are_to_be_tried_again() {
    with_cluster(0, 100, |_, cluster, _, client| {
        cache(client, 1);
        let slot = slot_of(key(1));
        let (from, to) = (cluster.node_of(slot), (cluster.node_of(slot) + 1) % 3);
        let migration = cluster.begin_move(slot, to);
        assert_eq!(name_of(&client.call(&["PGCACHE.READ", "users", &key(1)])), "User 1");
        for command in [
            &["PGCACHE.INVALIDATE", "users", r#"{"id":1}"#][..],
            &["PGCACHE.WRITE", "users", r#"{"id":1}"#, r#"{"id":1}"#],
        ] {
            assert_eq!(client.try_call(command).unwrap().code(), "TRYAGAIN");
        }
        let mut migration = migration;
        migration.move_all_keys();
        migration.finish();
        cluster.await_agreement();
        assert_eq!(client.call(&["PGCACHE.INVALIDATE", "users", &key(1)]), Reply::Simple("OK".into()));
        assert_eq!(name_of(&cache(client, 1)), "User 1");
        assert_eq!(keys(cluster, from, "pg_cache:users"), [""; 0]);
    });
}

#[test]
fn records_stay_with_their_node_when_their_slot_moves_and_after_a_restart() {
    records_stay(|_, cluster, slot| cluster.move_slots([slot], 1));
}

#[test]
fn records_stay_with_their_node_when_their_slot_moves_whole() {
    records_stay(|kind, cluster, slot| match kind.migrates_slots() {
        true => cluster.migrate_slots(&[slot..=slot], 1),
        false => cluster.move_slots([slot], 1),
    });
}

fn records_stay(move_slot: impl Fn(&Kind, &Cluster, u16)) {
    with_cluster(0, 10, |kind, cluster, _, _| {
        let define = ["PGCACHE.DEFINE", "top", "SELECT count(*) FROM users"];
        assert_eq!(cluster[0].client().call(&define), Reply::Simple("OK".into()));
        let record = keys(cluster, 0, "pg_cache:@queries").remove(0);
        let slot = slot_of(&record);
        move_slot(kind, cluster, slot);
        let moved = eventually("the record has another place", || {
            keys(cluster, 0, "pg_cache:@queries").into_iter().find(|key| *key != record)
        });
        assert_eq!(cluster.owner_of(&moved), 0);
        eventually("the other node keeps none of it", || {
            (keys(cluster, 1, "pg_cache:@queries").is_empty()).then_some(())
        });
        assert_eq!(cluster[1].client().call(&["PGCACHE.DEFINE", "LIST"]), Reply::Array(vec![]));
        cluster.kill(0);
        cluster.start_again(0);
        cluster.await_settled();
        eventually("the definition is there", || {
            let listed = cluster[0].client().call(&["PGCACHE.DEFINE", "LIST"]);
            matches!(&listed, Reply::Array(queries) if queries.len() == 1).then_some(())
        });
    });
}

#[test]
fn a_replica_answers_those_who_want_it_and_takes_over() {
    // Whoever becomes a replica believes its master when so much time has passed.
    with_settings(1, 100, &[("max_staleness_ms", "2000")], |_, cluster, database, client| {
        cache(client, 1);
        let owner = cluster.owner_of(&key(1));
        let replica = cluster.replicas_of(owner)[0];
        let mut reader = cluster[replica].client();
        reader.call(&["READONLY"]);
        eventually("a hit of the replica", || {
            let hits = figure(cluster, replica, "hits");
            assert_eq!(name_of(&reader.read("users", &key(1))), "User 1");
            (figure(cluster, replica, "hits") > hits).then_some(())
        });
        cluster.failover(replica);
        database.execute("UPDATE users SET name = 'new' WHERE id = 1");
        eventually("the change is seen", || {
            (name_of(&client.call(&["PGCACHE.READ", "users", &key(1)])) == "new").then_some(())
        });
        eventually("the new primary keeps the row", || {
            assert_eq!(name_of(&client.call(&["PGCACHE.READ", "users", &key(1)])), "new");
            (!keys(cluster, replica, "pg_cache:users").is_empty()).then_some(())
        });
    });
}

#[test]
fn everywhere_is_every_node() {
    with_cluster(0, 100, |_, cluster, database, client| {
        database.execute("CREATE TABLE items (id int PRIMARY KEY, name text); INSERT INTO items SELECT n, 'old' FROM generate_series(1, 30) n");
        for id in 1..=30 {
            assert_eq!(name_of(&client.call(&["PGCACHE.READ", "items", &key(id)])), "old");
        }
        database.execute("UPDATE items SET name = 'new'");
        assert_eq!(cluster[2].client().call(&["PGCACHE.FLUSH", "EVERYWHERE", "TABLE", "items"]), Reply::Integer(1));
        for id in 1..=30 {
            eventually("every node has dropped it", || {
                (name_of(&client.call(&["PGCACHE.READ", "items", &key(id)])) == "new").then_some(())
            });
        }
    });
}

/// What a node publishes goes to all others.
#[test]
fn a_node_publishes_events_only_while_one_of_its_clients_listens() {
    with_cluster(0, 100, |_, cluster, _, client| {
        let listener = |node: usize, subscribe: [&str; 2]| {
            let mut listener = cluster[node].client();
            listener.call(&subscribe);
            listener
        };
        let heard = |listener: &mut Client| -> String {
            let Reply::Array(message) = listener.receive() else { panic!("no message") };
            message.last().unwrap().text()
        };
        let id = (1..).find(|id| cluster.owner_of(&key(*id)) == 0).unwrap();
        let subscribe = ["SUBSCRIBE", "pg_cache_events"];
        cache(client, id);
        let mut elsewhere = listener(1, subscribe);
        client.call(&["PGCACHE.READ", "users", &key(id)]);
        cluster[0].client().call(&["PUBLISH", "pg_cache_events", "by a client"]);
        assert_eq!(heard(&mut elsewhere), "by a client");
        for subscribe in [subscribe, ["PSUBSCRIBE", "pg_cache_*"]] {
            let mut here = listener(0, subscribe);
            client.call(&["PGCACHE.READ", "users", &key(id)]);
            let event = heard(&mut here);
            assert!(event.contains("cache_hit"), "{event}");
            assert_eq!(heard(&mut elsewhere), event);
        }
    });
}
