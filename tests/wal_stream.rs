//! The stream of a real PostgreSQL's write-ahead log: what becomes of each change, and of each doubt.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use pgcache::cache::lease::Gap;
use pgcache::cache::notice::{Notice, Relation};
use pgcache::workers::messages::FeedEvent;
use support::process::{freeze, kill};
use support::{eventually, Database, Postgres, Subscriber};

/// What PostgreSQL needs for it; the rest is for tests.
const LOGICAL: &str =
    "wal_level = logical\nmax_prepared_transactions = 10\nmax_replication_slots = 20\nmax_wal_senders = 20\n";
const WAL: [(&str, &str); 1] = [("invalidation", "wal")];
const NAMED: [(&str, &str); 2] = [("invalidation", "wal"), ("wal_slot", "mine")];

/// A subscriber whose stream is live.
fn live(database: &Database<'_>, settings: &[(&str, &str)]) -> Subscriber {
    let mut subscriber = Subscriber::on(database, settings);
    subscriber.opened();
    subscriber.catch_up();
    subscriber
}

/// The notices of what `sql` does, in order: `oid:row`, or `oid` for all of a table.
fn told(database: &Database<'_>, subscriber: &mut Subscriber, sql: &str) -> Vec<String> {
    subscriber.catch_up();
    let before = texts(subscriber).len();
    database.execute(sql);
    subscriber.catch_up();
    texts(subscriber).split_off(before)
}

fn texts(subscriber: &Subscriber) -> Vec<String> {
    let text = |notice: Notice| match notice {
        Notice::Rows { relation: Relation::Oid(oid), rows } => rows.iter().map(|row| format!("{oid}:{row}")).collect(),
        Notice::Table(Relation::Oid(oid)) => vec![oid.to_string()],
        other => vec![format!("{other:?}")],
    };
    subscriber.notices().into_iter().flat_map(text).collect()
}

/// `pg_class.oid` of a table.
fn oid(database: &Database<'_>, name: &str) -> i64 {
    database.number(&format!("SELECT '{name}'::regclass::oid::bigint"))
}

fn publish(database: &Database<'_>, tables: &str) {
    database.execute(&format!("ALTER PUBLICATION pgcache ADD TABLE {tables}"));
}

/// Waits until the slot `mine` is there, and free or in use.
fn slot_is(database: &Database<'_>, active: bool) {
    let sql = format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'mine' AND active = {active}");
    eventually("the slot", || (database.number(&sql) == 1).then_some(()));
}

fn end_walsender(database: &Database<'_>) {
    database.execute("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active");
}

#[test]
fn every_change_is_told_by_the_keys_of_its_row() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &WAL);
    database.with_users(3);
    publish(&database, "users (id, email)");
    let users = oid(&database, "users");
    let mut tell = |sql: &str| told(&database, &mut subscriber, sql);
    let row = |id: u32| format!("{users}:{{\"id\":{id},\"email\":\"user{id}@example.com\"}}");
    assert_eq!(tell("UPDATE users SET name = 'x' WHERE id = 1"), [row(1)]);
    assert_eq!(tell("INSERT INTO users VALUES (4, 'user4@example.com')"), [row(4)]);
    let moved = format!("{users}:{{\"id\":9,\"email\":\"user2@example.com\"}}");
    assert_eq!(tell("UPDATE users SET id = 9 WHERE id = 2"), [format!("{users}:{{\"id\":2}}"), moved]);
    assert_eq!(tell("DELETE FROM users WHERE id = 3"), [format!("{users}:{{\"id\":3}}")]);
    assert_eq!(tell("BEGIN; UPDATE users SET name = 'y' WHERE id = 1; ROLLBACK"), [""; 0]);
    assert_eq!(tell("BEGIN; SAVEPOINT a; UPDATE users SET name = 'y' WHERE id = 1; RELEASE a; SAVEPOINT b; UPDATE users SET name = 'y' WHERE id = 4; ROLLBACK TO b; COMMIT"), [row(1)]);
    assert_eq!(tell("BEGIN; UPDATE users SET name = 'z' WHERE id = 4; PREPARE TRANSACTION 'two'"), [""; 0]);
    assert_eq!(tell("COMMIT PREPARED 'two'"), [row(4)]);
    assert_eq!(tell("SET session_replication_role = replica; UPDATE users SET name = 'r' WHERE id = 1"), [row(1)]);
    assert_eq!(tell("TRUNCATE users"), [users.to_string()]);
}

/// The number of a transaction, which says whether its rows can be seen.
#[test]
fn each_notice_names_its_transaction() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &WAL);
    database.with_users(1);
    publish(&database, "users");
    subscriber.catch_up();
    let mut client = database.connect();
    let mut transaction = client.transaction().unwrap();
    transaction.batch_execute("SAVEPOINT a; UPDATE users SET name = 'x'; RELEASE a").unwrap();
    let xid: i64 = transaction.query_one("SELECT pg_current_xact_id()::text::bigint", &[]).unwrap().get(0);
    transaction.commit().unwrap();
    let named = subscriber.until("the notice", |event| match event {
        FeedEvent::Notices { xid, .. } => Some(*xid),
        _ => None,
    });
    assert_eq!(named, u64::try_from(xid).ok());
    let snapshot = subscriber.until("a snapshot", |event| match event {
        FeedEvent::Snapshot(snapshot) => Some(snapshot.clone()),
        _ => None,
    });
    assert!(snapshot.has_ended(xid.try_into().unwrap()));
}

/// Keys of each type that can be one are spelled as a load spells them, or the table is told.
#[test]
fn keys_are_spelled_as_to_json_spells_them() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &WAL);
    database.execute("CREATE TYPE mood AS ENUM ('sad', 'it''s \"ok\"'); CREATE DOMAIN code AS varchar(9); CREATE DOMAIN of_mood AS mood");
    let values: [(&str, &[&str]); 26] = [
        ("int2", &["-1"]),
        ("int8", &["9223372036854775807"]),
        ("numeric", &["1.50", "NaN", "1e20", "Infinity"]),
        ("float4", &["1.5", "1e-10", "-0", "NaN"]),
        ("float8", &["1e16", "0.1", "-Infinity"]),
        ("bool", &["true", "false"]),
        ("text", &["", "a\"b\\c\nd\u{1}é🦀"]),
        ("varchar(20)", &["x y"]),
        ("char(5)", &["ab"]),
        ("name", &["n"]),
        ("\"char\"", &["c"]),
        ("uuid", &["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"]),
        ("date", &["2024-02-29", "0044-03-15 BC", "infinity"]),
        ("time", &["03:04:05.678"]),
        ("timetz", &["03:04:05+02"]),
        ("timestamp", &["2024-01-02 03:04:05.6", "0044-03-15 10:00:00 BC", "-infinity", "12024-01-01"]),
        ("timestamptz", &["2024-01-02 03:04:05+05:30", "0044-03-15 10:00:00+00 BC", "infinity"]),
        ("interval", &["1 year 2 days 03:04:05.6"]),
        ("bytea", &["\\xdeadbeef"]),
        ("inet", &["10.0.0.1/8"]),
        ("oid", &["4294967295"]),
        ("jsonb", &["{\"b\": [1, 2.50], \"a\": null}", "\"x\""]),
        ("int4range", &["[1,5)"]),
        ("tstzrange", &["[2024-01-01 00:00:00+01,)"]),
        ("code", &["a'b"]),
        ("of_mood", &["it's \"ok\""]),
    ];
    for (number, (kind, values)) in values.iter().enumerate() {
        let table = format!("t{number}");
        database.execute(&format!("CREATE TABLE {table} (k {kind} PRIMARY KEY)"));
        publish(&database, &table);
        let oid = oid(&database, &table);
        for value in *values {
            let mut client = database.connect();
            let insert = format!("INSERT INTO {table} SELECT $1::text::{kind} RETURNING pg_catalog.to_json(k)::text");
            client.batch_execute("SET TimeZone = UTC; SET DateStyle = ISO; SET extra_float_digits = 1").unwrap();
            subscriber.catch_up();
            let before = texts(&subscriber).len();
            let json: String = client.query_one(&insert, &[value]).unwrap().get(0);
            subscriber.catch_up();
            assert_eq!(texts(&subscriber)[before..], [format!("{oid}:{{\"k\":{json}}}")], "{kind} {value}");
        }
    }
    database.execute("CREATE TABLE arrays (k int[] PRIMARY KEY)");
    publish(&database, "arrays");
    let arrays = oid(&database, "arrays").to_string();
    assert_eq!(told(&database, &mut subscriber, "INSERT INTO arrays VALUES ('{1}')"), [arrays]);
}

/// What the log carries of a row depends on its replica identity.
#[test]
fn a_row_is_named_as_its_identity_allows() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &WAL);
    database.with_users(3).execute("ALTER TABLE users REPLICA IDENTITY FULL");
    publish(&database, "users");
    let users = oid(&database, "users");
    let mut tell = |sql: &str| told(&database, &mut subscriber, sql);
    let row = |id: u32, email: &str| format!("{users}:{{\"id\":{id},\"email\":\"{email}\"}}");
    let before = row(1, "user1@example.com");
    assert_eq!(tell("UPDATE users SET email = 'new' WHERE id = 1"), [before, row(1, "new")]);
    assert_eq!(tell("UPDATE users SET name = 'x' WHERE id = 1"), [row(1, "new")]);
    assert_eq!(tell("DELETE FROM users WHERE id = 1"), [row(1, "new")]);
    database.execute("CREATE TABLE long (k text PRIMARY KEY, n int)");
    publish(&database, "long");
    let long = oid(&database, "long");
    // As long as an index takes it, and too random to be compressed: kept apart from the row.
    let key = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 80) n)";
    let mut tell = |sql: &str| told(&database, &mut subscriber, sql);
    assert_eq!(tell(&format!("INSERT INTO long VALUES ({key}, 1)")).len(), 1);
    let updated = tell("UPDATE long SET n = 2");
    assert!(updated.len() == 1 && updated[0].len() > 2000, "{long}: {updated:?}");
}

#[test]
fn partitions_are_told_of_by_themselves() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &WAL);
    database.execute(
        "CREATE TABLE p (id int, r text, PRIMARY KEY (id, r)) PARTITION BY LIST (r);
         CREATE TABLE p_a PARTITION OF p FOR VALUES IN ('a')",
    );
    publish(&database, "p");
    database.execute("CREATE TABLE p_b PARTITION OF p FOR VALUES IN ('b')");
    let [a, b] = ["p_a", "p_b"].map(|name| oid(&database, name));
    let mut tell = |sql: &str| told(&database, &mut subscriber, sql);
    assert_eq!(tell("INSERT INTO p VALUES (1, 'a')"), [format!("{a}:{{\"id\":1,\"r\":\"a\"}}")]);
    let moved = [format!("{a}:{{\"id\":1,\"r\":\"a\"}}"), format!("{b}:{{\"id\":1,\"r\":\"b\"}}")];
    assert_eq!(tell("UPDATE p SET r = 'b'"), moved);
    let mut truncated = tell("TRUNCATE p");
    truncated.sort();
    assert_eq!(truncated, [a, b].map(|oid| oid.to_string()), "each partition is");
    assert_eq!(tell("TRUNCATE p_b"), [b.to_string()]);
}

/// Many rows of one transaction are one change of their table, and what is told does not grow with it.
#[test]
fn a_large_transaction_is_told_as_one_change_of_its_table() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &WAL);
    database.execute("CREATE TABLE many (id int PRIMARY KEY)");
    publish(&database, "many");
    let many = oid(&database, "many").to_string();
    let all = told(&database, &mut subscriber, "INSERT INTO many SELECT generate_series(1, 200000)");
    assert_eq!(all.last(), Some(&many));
    assert!(all.len() <= 10_001, "{}", all.len());
    let few = told(&database, &mut subscriber, "UPDATE many SET id = id + 1000000 WHERE id <= 2");
    assert_eq!(few.len(), 4);
}

#[test]
fn definitions_are_told_by_messages_of_a_transaction() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &WAL);
    let emit = |content: &str| format!("SELECT pg_logical_emit_message(true, 'pgcache.ddl', '{content}')");
    let definitions = |oids: &[u32]| vec![format!("{:?}", Notice::Definitions(oids.to_vec()))];
    let mut tell = |sql: &str| told(&database, &mut subscriber, sql);
    assert_eq!(tell(&emit("{\"pgcache\":1,\"ddl\":[7,8]}")), definitions(&[7, 8]));
    assert_eq!(tell(&emit("nonsense")), definitions(&[]));
    assert_eq!(tell("SELECT pg_logical_emit_message(true, 'others', 'pgcache.ddl')"), [""; 0]);
}

#[test]
fn a_temporary_slot_ends_with_its_connection_and_another_one_is_a_gap() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &WAL);
    assert_eq!(subscriber.gaps(), [Gap::Connected]);
    end_walsender(&database);
    subscriber.gap(Gap::Reconnected);
    subscriber.catch_up();
    assert!(subscriber.stop(Duration::from_secs(5)));
    eventually("no slot is left", || (database.number("SELECT count(*) FROM pg_replication_slots") == 0).then_some(()));
}

#[test]
fn a_named_slot_loses_nothing_when_its_connection_is_cut() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &NAMED);
    database.with_users(5);
    publish(&database, "users (id, email)");
    subscriber.catch_up();
    for id in 1..=5 {
        end_walsender(&database);
        database.execute(&format!("UPDATE users SET name = 'x' WHERE id = {id}"));
        subscriber.catch_up();
    }
    let told = texts(&subscriber);
    for id in 1..=5 {
        assert!(told.iter().any(|notice| notice.contains(&format!("\"id\":{id},"))), "{told:?}");
    }
    assert_eq!(subscriber.gaps(), [Gap::Connected]);
    drop(subscriber);
    slot_is(&database, false);
}

#[test]
fn a_slot_that_others_use_or_have_read_from_is_found() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let first = live(&database, &NAMED);
    let mut second = Subscriber::on(&database, &NAMED);
    let reason = second.closed();
    assert!(reason.contains("replication slot mine is in use by PostgreSQL's process"), "{reason}");
    drop(first);
    second.opened();
    second.catch_up();
    drop(second);
    slot_is(&database, false);
    database.execute("SELECT pg_drop_replication_slot('mine'); SELECT pg_create_physical_replication_slot('mine')");
    let reason = Subscriber::on(&database, &NAMED).closed();
    assert!(reason.contains("for something else"), "{reason}");
}

#[test]
fn a_slot_that_was_dropped_is_made_anew_with_a_gap() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &NAMED);
    // The subscriber would be quicker than we are.
    database.execute(
        "DO $$ BEGIN
             WHILE EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'mine') LOOP
                 BEGIN
                     PERFORM pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active;
                     PERFORM pg_drop_replication_slot('mine');
                 EXCEPTION WHEN object_in_use THEN NULL;
                 END;
             END LOOP;
         END $$",
    );
    subscriber.gap(Gap::Recreated);
    subscriber.catch_up();
}

#[test]
fn a_slot_that_keeps_too_much_of_the_log_is_made_anew() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let settings = [("invalidation", "wal"), ("wal_slot", "mine"), ("wal_keep_limit_mb", "1")];
    let mut subscriber = live(&database, &settings);
    let walsender = database.number("SELECT active_pid::bigint FROM pg_replication_slots");
    freeze(walsender.try_into().unwrap());
    database.execute("CREATE TABLE filler AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)");
    subscriber.until("it is given up", |event| match event {
        FeedEvent::Closed(reason) => reason.contains("wal_keep_limit_mb 1").then_some(()),
        _ => None,
    });
    kill(walsender.try_into().unwrap(), libc::SIGCONT);
    subscriber.gap(Gap::Trimmed);
    subscriber.catch_up();
}

#[test]
fn a_publication_that_was_dropped_is_made_anew() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    let mut subscriber = live(&database, &WAL);
    database.with_users(1);
    publish(&database, "users (id, email)");
    let update = "UPDATE users SET name = 'x' WHERE id = 1";
    assert_eq!(told(&database, &mut subscriber, update).len(), 1);
    database.execute("DROP PUBLICATION pgcache").execute(update);
    subscriber.gap(Gap::Reconnected);
    subscriber.catch_up();
    publish(&database, "users (id, email)");
    assert_eq!(told(&database, &mut subscriber, update).len(), 1);
}

#[test]
fn a_restart_is_a_gap_whatever_the_slot() {
    for settings in [&WAL[..], &NAMED] {
        let postgres = Postgres::start_with(LOGICAL);
        let database = postgres.database();
        let mut subscriber = live(&database, settings);
        postgres.restart();
        subscriber.gap(Gap::Restarted);
        subscriber.catch_up();
    }
}

#[test]
fn what_stands_in_the_way_is_told() {
    let postgres = Postgres::start_with("wal_level = replica\n");
    let reason = Subscriber::on(&postgres.database(), &WAL).closed();
    assert!(reason.contains("ALTER SYSTEM SET wal_level = 'logical'"), "{reason}");
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    database.execute("CREATE PUBLICATION pgcache; CREATE ROLE reader LOGIN");
    let reader = [("invalidation", "wal"), ("pg_user", "reader")];
    let reason = Subscriber::on(&database, &reader).closed();
    assert!(reason.contains("pg_replication_user"), "{reason}");
    database.execute("CREATE ROLE streamer LOGIN REPLICATION");
    let both = [("invalidation", "wal"), ("pg_user", "reader"), ("pg_replication_user", "streamer")];
    let mut subscriber = live(&database, &both);
    subscriber.catch_up();
}

/// A slot that is older than the publication would fail for ever.
#[test]
fn without_a_publication_there_is_no_slot_until_there_is_one() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    database.execute("CREATE ROLE streamer LOGIN REPLICATION");
    let mut subscriber = live(&database, &[("invalidation", "wal"), ("pg_user", "streamer")]);
    assert_eq!(database.number("SELECT count(*) FROM pg_replication_slots"), 0);
    database.with_users(1).execute("CREATE PUBLICATION pgcache FOR TABLE users");
    subscriber.gap(Gap::Recreated);
    assert_eq!(told(&database, &mut subscriber, "UPDATE users SET name = 'x'").len(), 1);
}

/// So everything that is committed and not streamed can be seen once there is a slot.
#[test]
fn a_new_slot_waits_for_transactions_that_nobody_sees_yet() {
    let postgres = Postgres::start_with(LOGICAL);
    let database = postgres.database();
    database.with_users(1).execute("CREATE PUBLICATION pgcache FOR TABLE users");
    database.execute("ALTER SYSTEM SET synchronous_standby_names = 'ghost'").execute("SELECT pg_reload_conf()");
    eventually("a standby is waited for", || {
        (database.text("SHOW synchronous_standby_names").as_deref() == Some("ghost")).then_some(())
    });
    std::thread::scope(|scope| {
        let mut client = database.connect();
        scope.spawn(move || client.batch_execute("UPDATE users SET name = 'late'").unwrap());
        eventually("it waits for the standby", || {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
            (database.number(sql) == 1).then_some(())
        });
        let mut subscriber = Subscriber::on(&database, &WAL);
        let reason = subscriber.closed();
        assert!(reason.contains("waits for transactions that write to end"), "{reason}");
        assert_eq!(database.text("SELECT name FROM users").as_deref(), Some("User 1"));
        database.execute("ALTER SYSTEM RESET synchronous_standby_names").execute("SELECT pg_reload_conf()");
        subscriber.opened();
        subscriber.catch_up();
        assert_eq!(database.text("SELECT name FROM users").as_deref(), Some("late"));
    });
}
