//! Slots that move whole, as Valkey 9 moves them: what comes with them is never served.
#![allow(clippy::unwrap_used)]

mod support;

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;

use support::cluster::{slot_of, Cluster, ClusterClient};
use support::watched::{await_freshness, name_of, watch};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply};

/// How often slots move there and back. Writers have to get through as well, however slow the machine is.
const ROUNDS: usize = 4;
const MOST_ROUNDS: usize = 50;
const WRITES: u32 = 5;

fn key(id: usize) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// Three primaries with a replica each that all hear of changes of `users`, which is watched. Where slots do not move whole there is nothing
/// to see.
fn with_cluster(test: impl Fn(&Cluster, &Database<'_>, &mut ClusterClient)) {
    on_every_server(|kind| {
        if !kind.migrates_slots() {
            return;
        }
        let database = Postgres::shared().database();
        database.with_users(300);
        let cluster = Cluster::start(&kind, 3, 1, |node| node.on(&database));
        watch(&mut cluster[0].client(), "users");
        (0..cluster.len()).for_each(|node| await_freshness(&mut cluster[node].client(), "live"));
        test(&cluster, &database, &mut cluster.client());
    });
}

/// The keys of the cache's entries on a node.
fn entries(client: &mut Client) -> Vec<String> {
    match client.call(&["KEYS", "pg_cache:users*"]) {
        Reply::Array(keys) => keys.iter().map(Reply::text).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn while_slots_move_whole_no_read_is_older_than_what_all_nodes_have_heard() {
    with_cluster(|cluster, database, client| {
        database.execute("UPDATE users SET name = '0'");
        let (is_over, heard) = (AtomicBool::new(false), AtomicU32::new(0));
        thread::scope(|scope| {
            scope.spawn(|| while_running(&is_over, || write_round(cluster, database, &heard)));
            scope.spawn(|| while_running(&is_over, || read_all(client, &heard)));
            for node in 3..6 {
                let (is_over, heard) = (&is_over, &heard);
                scope.spawn(move || {
                    let mut client = cluster[node].client();
                    client.call(&["READONLY"]);
                    while_running(is_over, || read_from_replica(&mut client, heard));
                });
            }
            let _over = Over(&is_over);
            let half = 0..=2700;
            for round in 0..MOST_ROUNDS {
                if round >= ROUNDS && heard.load(SeqCst) >= WRITES {
                    break;
                }
                cluster.migrate_slots(&[half.clone(), 3000..=5000], 1);
                cluster.migrate_slots(&[half.clone(), 3000..=5000], 0);
                give_up_a_migration(cluster, &half);
            }
        });
        assert!(heard.load(SeqCst) >= WRITES);
        assert!((0..2).all(|node| cluster[node].client().figure("arrivals") > 0));
        for node in 0..3 {
            let (mut one, mut replica) = (cluster[node].client(), cluster[cluster.replicas_of(node)[0]].client());
            let mut digests = || [&mut one, &mut replica].map(|client| client.call(&["DEBUG", "DIGEST"]));
            eventually("the replica has the same", || {
                let [of_primary, of_replica] = digests();
                (of_primary == of_replica).then_some(())
            });
            assert!(entries(&mut one).iter().all(|key| cluster.owner_of(key) == node));
        }
    });
}

/// Sets the flag when it goes, also in a panic.
struct Over<'f>(&'f AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

fn while_running(is_over: &AtomicBool, mut work: impl FnMut()) {
    while !is_over.load(SeqCst) {
        work();
    }
}

/// Every row has the next number as its name, and every node has heard so.
fn write_round(cluster: &Cluster, database: &Database<'_>, heard: &AtomicU32) {
    let round = heard.load(SeqCst) + 1;
    database.execute(&format!("UPDATE users SET name = '{round}'"));
    for node in 0..cluster.len() {
        assert!(matches!(cluster[node].client().call(&["PGCACHE.BARRIER", "10000"]), Reply::Integer(_)));
    }
    heard.store(round, SeqCst);
}

/// Reads every row where it is.
fn read_all(client: &mut ClusterClient, heard: &AtomicU32) {
    for id in 1..=300 {
        let before = heard.load(SeqCst);
        let name: u32 = name_of(&client.call(&["PGCACHE.READ", "users", &key(id)])).parse().unwrap();
        assert!(name >= before, "row {id}: {name} after all nodes had heard of {before}");
    }
}

/// The same of a replica, which sends clients elsewhere for what is not its primary's.
fn read_from_replica(client: &mut Client, heard: &AtomicU32) {
    for id in 1..=300 {
        let before = heard.load(SeqCst);
        let reply = client.read("users", &key(id));
        if reply.code() != "MOVED" {
            let name: u32 = name_of(&reply).parse().unwrap();
            assert!(name >= before, "row {id} of a replica: {name} after all nodes had heard of {before}");
        }
    }
}

/// A migration that waits for its end: the rows are hits where they were, and nothing of them is left where they have gone.
fn give_up_a_migration(cluster: &Cluster, slots: &RangeInclusive<u16>) {
    let prevent_end = |yes: &str| cluster[0].client().call(&["DEBUG", "SLOTMIGRATION", "PREVENT-PAUSE", yes]);
    prevent_end("1");
    cluster.begin_slot_migration(std::slice::from_ref(slots), 1);
    eventually("all has been sent", || (cluster.slot_migration_state(0) == "waiting-to-pause").then_some(()));
    let row = (1..).map(key).find(|key| slots.contains(&slot_of(key))).unwrap();
    let mut client = cluster[0].client();
    eventually("the rows are hits still", || {
        let hits = client.figure("hits");
        client.read("users", &row);
        (client.figure("hits") > hits).then_some(())
    });
    assert!(cluster.cancel_slot_migrations(0));
    prevent_end("0");
    assert_eq!(cluster.node_of(*slots.start()), 0);
}
