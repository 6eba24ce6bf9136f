//! Queries and changes: whatever a result was made of, a change of it ends the result.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{json, Value};
use support::queries::{any, asking, await_result, inspect, is_stored, list, query, store, Gate};
use support::watched::{await_name, cache, is_cached, start_listening, watch, MODES};
use support::{eventually, on_every_server, Client, Database, Lock, Postgres, Reply, Server};

const USERS: &[&str] = &["SELECT id, name FROM users ORDER BY id"];
const ORDERS: &[&str] = &["SELECT id, user_id, item FROM orders ORDER BY id"];

fn database() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(3).execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, item text);
         INSERT INTO orders VALUES (1, 1, 'pen'), (2, 1, 'ink'), (3, 2, 'cup')",
    );
    database
}

/// On every server and in every way of telling: users and orders, both watched.
fn with_watched(test: impl Fn(&Database<'_>, &Server, &mut Client)) {
    on_every_server(|kind| {
        for mode in MODES {
            eprintln!("by {mode}");
            let database = database();
            let server = start_listening(any(&kind, &database).setting("invalidation", mode));
            let mut client = server.client();
            watch(&mut client, "users");
            watch(&mut client, "orders");
            settle(&database, &mut client);
            test(&database, &server, &mut client);
        }
    });
}

/// Waits until everything is heard that watching has told of itself, which drops what was stored: notices come in order.
fn settle(database: &Database<'_>, client: &mut Client) {
    let probe = &["SELECT count(*) FROM orders WHERE id = -1"];
    for (change, count) in [
        ("INSERT INTO orders SELECT -1, user_id, item FROM orders LIMIT 1", 1),
        ("DELETE FROM orders WHERE id = -1", 0),
    ] {
        store(client, probe);
        database.execute(change);
        await_result(client, probe, &json!([{ "count": count }]));
    }
}

/// On every server: the same tables, which nobody watches.
fn with_unwatched(test: impl Fn(&Database<'_>, &mut Client)) {
    on_every_server(|kind| {
        let database = database();
        let server = any(&kind, &database).setting("invalidation", "off").start();
        test(&database, &mut server.client());
    });
}

/// Stores what a query brings, and sees it follow each of these changes.
fn follows(database: &Database<'_>, client: &mut Client, words: &[&str], changes: &[(&str, Value)]) {
    let told = followed(database, client, words, changes);
    assert_eq!(told.field("tracked"), Reply::Integer(1), "{words:?}: {told:?}");
    assert!(list(&told, "untracked").is_empty(), "{words:?}: {told:?}");
}

/// The same for a query with a function of somebody's: it follows what it was seen to read, and promises nothing.
fn follows_untracked(database: &Database<'_>, client: &mut Client, words: &[&str], changes: &[(&str, Value)]) {
    let told = followed(database, client, words, changes);
    assert_eq!(told.field("tracked"), Reply::Integer(0), "{words:?}: {told:?}");
    let reasons = list(&told, "untracked");
    assert!(reasons.iter().all(|reason| reason.contains("own functions")), "{words:?}: {told:?}");
}

fn followed(database: &Database<'_>, client: &mut Client, words: &[&str], changes: &[(&str, Value)]) -> Reply {
    for (change, wanted) in changes {
        assert_ne!(store(client, words), *wanted, "{change}");
        database.execute(change);
        await_result(client, words, wanted);
    }
    store(client, words);
    inspect(client, words)
}

#[test]
fn every_kind_of_change_is_seen() {
    with_watched(|database, _, client| {
        let query = &["SELECT id, name FROM users WHERE id <> 2 ORDER BY id"];
        let row = |id: u64, name: &str| json!({"id": id, "name": name});
        let [one, three] = [row(1, "User 1"), row(3, "User 3")];
        let changes = [
            ("INSERT INTO users VALUES (4, 'e', 'four')", json!([one, three, row(4, "four")])),
            ("UPDATE users SET name = 'new' WHERE id = 4", json!([one, three, row(4, "new")])),
            ("UPDATE users SET id = 2000 WHERE id = 4", json!([one, three, row(2000, "new")])),
            ("DELETE FROM users WHERE id = 2000", json!([one, three])),
            ("UPDATE users SET id = 4 WHERE id = 2", json!([one, three, row(4, "User 2")])),
            ("TRUNCATE users", json!([])),
            ("COPY users FROM PROGRAM 'echo 1,x,copied' CSV", json!([row(1, "copied")])),
            (
                "INSERT INTO users SELECT n FROM generate_series(2000, 4000) n; DELETE FROM users WHERE id < 4000",
                json!([{"id": 4000, "name": null}]),
            ),
        ];
        follows(database, client, query, &changes);
    });
}

#[test]
fn a_change_of_one_table_leaves_the_results_of_others() {
    with_watched(|database, _, client| {
        store(client, USERS);
        store(client, ORDERS);
        database.execute("UPDATE users SET name = 'new'");
        eventually("it is seen", || (query(client, USERS).json()[0]["name"] == "new").then_some(()));
        assert!(is_stored(client, ORDERS));
        let misses = client.figure("misses");
        query(client, ORDERS);
        assert_eq!(client.figure("misses"), misses);
    });
}

#[test]
fn who_asks_again_and_again_never_sees_an_older_state() {
    const LAST: i64 = 200;
    with_watched(|database, server, client| {
        database.execute("CREATE TABLE counter (id bigint PRIMARY KEY, n bigint); INSERT INTO counter VALUES (1, 0)");
        watch(client, "counter");
        let words = &["SELECT n FROM counter WHERE id = 1"];
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut writer = database.connect();
                for _ in 0..LAST {
                    writer.batch_execute("UPDATE counter SET n = n + 1").unwrap();
                }
            });
            for _ in 0..2 {
                let mut reader = server.client();
                scope.spawn(move || {
                    let mut seen = 0;
                    eventually("the last state is seen", || {
                        let n = query(&mut reader, words).json()[0]["n"].as_i64().unwrap();
                        assert!(n >= seen, "{n} after {seen}");
                        seen = n;
                        (n == LAST).then_some(())
                    });
                });
            }
        });
        assert_eq!(store(client, words), json!([{"n": LAST}]));
    });
}

#[test]
fn a_join_follows_each_of_its_tables() {
    with_watched(|database, _, client| {
        let join = &["SELECT u.name, o.item FROM users u JOIN orders o ON o.user_id = u.id WHERE u.id = 2"];
        follows(
            database,
            client,
            join,
            &[
                ("UPDATE users SET name = 'new' WHERE id = 2", json!([{"name": "new", "item": "cup"}])),
                ("UPDATE orders SET item = 'mug' WHERE id = 3", json!([{"name": "new", "item": "mug"}])),
                ("DELETE FROM orders WHERE id = 3", json!([])),
            ],
        );
        let exists =
            &["SELECT id FROM users u WHERE NOT EXISTS (SELECT FROM orders o WHERE o.user_id = u.id) ORDER BY id"];
        let added = "INSERT INTO orders VALUES (9, 3, 'x')";
        follows(database, client, exists, &[(added, json!([{"id": 2}]))]);
    });
}

#[test]
fn a_view_follows_what_it_reads_and_its_own_definition() {
    with_watched(|database, _, client| {
        database.execute(
            "CREATE VIEW named AS SELECT id, name FROM users WHERE id = 1;
             CREATE VIEW bought AS SELECT n.name, o.item FROM named n JOIN orders o ON o.user_id = n.id WHERE o.id = 1",
        );
        let row = |name: &str, item: &str| json!([{"name": name, "item": item}]);
        let changes = [
            ("UPDATE users SET name = 'new' WHERE id = 1", row("new", "pen")),
            ("UPDATE orders SET item = 'nib' WHERE id = 1", row("new", "nib")),
            ("CREATE OR REPLACE VIEW named AS SELECT id, upper(name) AS name FROM users", row("NEW", "nib")),
        ];
        follows(database, client, &["SELECT * FROM bought"], &changes);
    });
}

#[test]
fn functions_that_read_tables_are_followed() {
    with_watched(|database, _, client| {
        database.execute(
            "CREATE FUNCTION inlined(bigint) RETURNS SETOF text STABLE LANGUAGE sql AS
                 'SELECT name FROM users WHERE id = $1';
             CREATE FUNCTION opaque(wanted bigint) RETURNS text STABLE LANGUAGE plpgsql AS $$
             DECLARE found text; BEGIN SELECT name INTO found FROM users WHERE id = wanted; RETURN found; END $$;
             CREATE FUNCTION dynamic(bigint) RETURNS text STABLE LANGUAGE plpgsql AS $$
             DECLARE found text; BEGIN EXECUTE 'SELECT name FROM us' || 'ers WHERE id = $1' INTO found USING $1; RETURN found; END $$",
        );
        let calls = [
            "SELECT inlined AS name FROM inlined(1)",
            "SELECT opaque(1) AS name",
            "SELECT opaque(id) AS name FROM orders WHERE id = 1",
            "SELECT dynamic(1) AS name",
            "SELECT name FROM users WHERE name = opaque(1)",
        ];
        for (number, sql) in calls.iter().enumerate() {
            let change = format!("UPDATE users SET name = 'name {number}' WHERE id = 1");
            follows_untracked(database, client, &[sql], &[(&change, json!([{"name": format!("name {number}")}]))]);
        }
    });
}

#[test]
fn a_function_that_reads_another_table_for_another_parameter_is_followed_there_too() {
    with_watched(|database, _, client| {
        database.execute(
            "CREATE FUNCTION either(first boolean) RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN
                 IF first THEN RETURN (SELECT name FROM users WHERE id = 1); END IF;
                 RETURN (SELECT item FROM orders WHERE id = 1);
             END $$",
        );
        let sql = "SELECT either($1) AS v";
        store(client, &[sql, "[true]"]);
        store(client, &[sql, "[false]"]);
        let ordered = [("UPDATE orders SET item = 'new item'", json!([{"v": "new item"}]))];
        follows_untracked(database, client, &[sql, "[false]"], &ordered);
        let named = [("UPDATE users SET name = 'new name'", json!([{"v": "new name"}]))];
        follows_untracked(database, client, &[sql, "[true]"], &named);
    });
}

#[test]
fn a_result_that_reads_another_table_once_data_says_so_is_followed_there_too() {
    with_watched(|database, _, client| {
        database.execute(
            "CREATE FUNCTION item_of(wanted bigint) RETURNS text STABLE LANGUAGE plpgsql AS $$ BEGIN
                 IF (SELECT name FROM users WHERE id = wanted) = 'ask' THEN
                     RETURN (SELECT item FROM orders WHERE id = 1);
                 END IF;
                 RETURN 'nothing';
             END $$",
        );
        let changes = [
            ("UPDATE users SET name = 'ask'", json!([{"v": "pen"}])),
            ("UPDATE orders SET item = 'nib' WHERE id = 1", json!([{"v": "nib"}])),
        ];
        follows_untracked(database, client, &["SELECT item_of(1) AS v"], &changes);
    });
}

#[test]
fn partitions_are_followed_by_way_of_each_other() {
    with_watched(|database, _, client| {
        database.execute(
            "CREATE TABLE parted (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id);
             CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (100);
             CREATE TABLE high PARTITION OF parted FOR VALUES FROM (100) TO (200);
             INSERT INTO parted VALUES (1, 'a'), (101, 'b')",
        );
        watch(client, "parted");
        let row = |name: &str| json!([{"name": name}]);
        let pruned = &["SELECT name FROM parted WHERE id = 1"];
        let changes = [
            ("UPDATE low SET name = 'leaf' WHERE id = 1", row("leaf")),
            ("UPDATE parted SET name = 'root' WHERE id = 1", row("root")),
            ("UPDATE parted SET id = 150 WHERE id = 1", json!([])),
        ];
        follows(database, client, pruned, &changes);
        let whole = &["SELECT name FROM parted WHERE id > 0 ORDER BY id"];
        let changes = [
            ("INSERT INTO low VALUES (2, 'two')", json!([{"name": "two"}, {"name": "b"}, {"name": "root"}])),
            ("TRUNCATE high", row("two")),
            ("ALTER TABLE parted DETACH PARTITION low", json!([])),
        ];
        follows(database, client, whole, &changes);
        database.execute("CREATE TABLE top PARTITION OF parted FOR VALUES FROM (200) TO (300)");
        watch(client, "parted");
        follows(database, client, whole, &[("INSERT INTO top VALUES (250, 'c')", row("c"))]);
    });
}

#[test]
fn a_changed_definition_of_a_table_is_seen() {
    with_watched(|database, _, client| {
        let all = &["SELECT * FROM orders WHERE id = 3"];
        let changes = [
            (
                "ALTER TABLE orders ADD COLUMN price int DEFAULT 5",
                json!([{"id": 3, "user_id": 2, "item": "cup", "price": 5}]),
            ),
            (
                "ALTER TABLE orders RENAME COLUMN item TO what",
                json!([{"id": 3, "user_id": 2, "what": "cup", "price": 5}]),
            ),
            ("ALTER TABLE orders DROP COLUMN user_id", json!([{"id": 3, "what": "cup", "price": 5}])),
        ];
        follows(database, client, all, &changes);
        database.execute("DROP TABLE orders");
        eventually("it is gone", || matches!(query(client, all), Reply::Error(_)).then_some(()));
    });
}

#[test]
fn a_change_during_a_load_is_not_overwritten_by_it() {
    with_watched(|database, server, client| {
        let mut gate = Gate::on(database);
        let words = &["SELECT name FROM users WHERE id = 1 AND gate(id)"];
        // In the first round nobody has asked before, in the second one it is known what the query reads.
        for new in ["new", "newer"] {
            client.call(&["PGCACHE.FLUSH", "TABLE", "users"]);
            cache(client, "users", r#"{"id":1}"#);
            gate.shut();
            let mut early = asking(server, words);
            gate.await_arrivals(1);
            database.execute(&format!("UPDATE users SET name = '{new}'"));
            eventually("it is noticed", || (!is_cached(client, "users", r#"{"id":1}"#)).then_some(()));
            gate.open();
            assert!(matches!(early.receive(), Reply::Bulk(_)), "old or new: it asked before the change");
            assert_eq!(query(client, words).json(), json!([{"name": new}]));
            assert_eq!(store(client, words), json!([{"name": new}]));
        }
    });
}

#[test]
fn a_lost_listener_ends_what_it_may_have_missed() {
    with_watched(|database, _, client| {
        let first = &["SELECT name FROM users WHERE id = 1"];
        store(client, first);
        // Changed in the same moment as the connection ends: nobody may be told.
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'pgcache/notices' AND datname = current_database();
             UPDATE users SET name = 'new' WHERE id = 1",
        );
        await_result(client, first, &json!([{"name": "new"}]));
    });
}

/// The commands that say that a table or a row of it has changed.
const COMMANDS: [&[&str]; 5] = [
    &["PGCACHE.INVALIDATE", "users", r#"{"id":1}"#],
    &["PGCACHE.INVALIDATE", "users", r#"{"id":77}"#],
    &["PGCACHE.WRITE", "users", r#"{"id":1}"#, r#"{"id":1,"name":"written"}"#],
    &["PGCACHE.FLUSH", "TABLE", "users"],
    &["PGCACHE.FLUSH", "ALL"],
];

#[test]
fn commands_on_a_table_drop_what_was_read_of_it_watched_or_not() {
    let dropped_by_each = |client: &mut Client| {
        let join = &["SELECT u.name, o.item FROM users u JOIN orders o ON o.user_id = u.id ORDER BY o.id"];
        for command in COMMANDS {
            for words in [USERS, join] {
                store(client, words);
            }
            store(client, ORDERS);
            assert!(!matches!(client.call(command), Reply::Error(_)), "{command:?}");
            for words in [USERS, join] {
                assert!(!is_stored(client, words), "{command:?} {words:?}");
            }
            assert_eq!(is_stored(client, ORDERS), command[1] != "ALL", "{command:?}");
        }
    };
    with_watched(|_, _, client| dropped_by_each(client));
    with_unwatched(|database, client| {
        dropped_by_each(client);
        for (number, command) in COMMANDS.iter().enumerate() {
            store(client, USERS);
            database.execute(&format!("UPDATE users SET name = 'name {number}'"));
            assert_ne!(query(client, USERS).json()[0]["name"], format!("name {number}"), "nobody has told");
            client.call(command);
            assert_eq!(query(client, USERS).json()[0]["name"], format!("name {number}"), "{command:?}");
        }
    });
}

#[test]
fn what_cannot_be_tracked_is_said_and_kept() {
    with_watched(|database, _, client| {
        database.execute(
            "CREATE TABLE strangers (id bigint PRIMARY KEY); CREATE MATERIALIZED VIEW copy AS SELECT * FROM users;
             CREATE FUNCTION dice() RETURNS int VOLATILE LANGUAGE plpgsql AS 'BEGIN RETURN 4; END';
             CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
             CREATE FOREIGN TABLE faraway (id bigint) SERVER files OPTIONS (program 'echo 1')",
        );
        let cases = [
            ("SELECT id, random() FROM users", "random"),
            ("SELECT id, dice() FROM users", "dice"),
            ("SELECT id, now() FROM users", "now"),
            ("SELECT id FROM users WHERE clock_timestamp() > '2000-01-01'", "clock_timestamp"),
            ("SELECT id, CURRENT_DATE FROM users", ""),
            ("SELECT u.id FROM users u LEFT JOIN strangers s ON s.id = u.id", "strangers"),
            ("SELECT id FROM copy", "copy"),
            ("SELECT id FROM faraway", "faraway"),
            ("SELECT id FROM users WHERE id = 1 AND EXISTS (SELECT FROM strangers)", "strangers"),
        ];
        for (sql, reason) in cases {
            let answer = query(client, &[sql]);
            assert!(matches!(answer, Reply::Bulk(_)), "{sql}: {answer:?}");
            store(client, &[sql]);
            let told = inspect(client, &[sql]);
            assert_eq!(told.field("tracked"), Reply::Integer(0), "{sql}");
            let reasons = list(&told, "untracked");
            assert!(reasons.iter().any(|text| text.contains(reason)), "{sql}: {reasons:?}");
        }
        store(client, USERS);
        let told = inspect(client, USERS);
        assert_eq!(told.field("tracked"), Reply::Integer(1));
        let tables = list(&told, "tables");
        assert!(list(&told, "untracked").is_empty() && tables.len() == 1 && tables[0].ends_with("users"), "{tables:?}");
    });
}

#[test]
fn a_materialised_view_is_dropped_when_it_is_refreshed_and_not_by_changes_of_what_it_was_made_from() {
    with_watched(|database, _, client| {
        database.execute(
            "CREATE MATERIALIZED VIEW copy AS SELECT * FROM users; CREATE UNIQUE INDEX ON copy (id);
             CREATE VIEW over AS SELECT id, name FROM copy",
        );
        let queries = [["SELECT name FROM copy WHERE id = 1"], ["SELECT name FROM over WHERE id = 1"]];
        let rows = ["copy", "over"];
        let mut was = "User 1".to_owned();
        for refresh in ["", "CONCURRENTLY"] {
            let mut round = 0;
            // What is heard of the view's own definition, and how soon, is another matter: it may drop the first of them.
            let is = eventually("a change of users drops nothing that was made of copy", || {
                round += 1;
                let is = format!("{refresh}{round}");
                queries.iter().for_each(|words| assert_eq!(store(client, words), json!([{ "name": was }])));
                rows.iter().for_each(|table| {
                    assert_eq!(cache(client, table, r#"{"id":1}"#).json()["name"], was.as_str());
                });
                let followed = &["SELECT name FROM users WHERE id = 1"];
                store(client, followed);
                database.execute(&format!("UPDATE users SET name = '{is}' WHERE id = 1"));
                await_result(client, followed, &json!([{ "name": is }]));
                let is_kept = queries.iter().all(|words| is_stored(client, words))
                    && rows.iter().all(|table| is_cached(client, table, r#"{"id":1}"#));
                is_kept.then_some(is)
            });
            database.execute(&format!("REFRESH MATERIALIZED VIEW {refresh} copy"));
            for words in &queries {
                await_result(client, words, &json!([{ "name": is }]));
            }
            for table in rows {
                await_name(client, table, r#"{"id":1}"#, &is);
            }
            was = is;
        }
    });
}

#[test]
fn what_row_security_shows_is_not_tracked() {
    on_every_server(|kind| {
        let database = database();
        let role = format!("reader_{}", database.name);
        database.execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT SELECT ON users, orders TO {role};
             ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON orders USING (id < 3)"
        ));
        let server = start_listening(any(&kind, &database).setting("pg_user", &role));
        let mut client = server.client();
        for table in ["users", "orders"] {
            let script = client.call(&["PGCACHE.WATCH", "SQL", table]).text();
            database.execute(&script);
        }
        let tracked = |client: &mut Client, words: &[&str]| {
            store(client, words);
            inspect(client, words).field("tracked") == Reply::Integer(1)
        };
        eventually("the triggers are known", || tracked(&mut client, USERS).then_some(()));
        assert_eq!(store(&mut client, ORDERS).as_array().unwrap().len(), 2);
        assert!(!tracked(&mut client, ORDERS) && !list(&inspect(&mut client, ORDERS), "untracked").is_empty());
    });
}

#[test]
fn a_table_that_is_watched_later_is_followed_from_then_on() {
    with_watched(|database, _, client| {
        database.execute("CREATE TABLE late (id bigint PRIMARY KEY); INSERT INTO late VALUES (1)");
        let words = &["SELECT id FROM late ORDER BY id"];
        assert_eq!(store(client, words), json!([{"id": 1}]));
        assert_eq!(inspect(client, words).field("tracked"), Reply::Integer(0));
        database.execute("INSERT INTO late VALUES (2)");
        watch(client, "late");
        // What was stored before may have been old when the table came to be watched.
        assert_eq!(query(client, words).json(), json!([{"id": 1}, {"id": 2}]));
        follows(database, client, words, &[("DELETE FROM late", json!([]))]);
    });
}

/// Descriptions read the catalog that is locked here, planning does not.
#[test]
fn a_table_that_takes_anothers_name_while_a_query_is_described_is_followed() {
    with_watched(|database, server, client| {
        database.execute("CREATE TABLE later (LIKE users INCLUDING ALL); INSERT INTO later VALUES (1, '', 'later')");
        watch(client, "later");
        let words = &["SELECT name FROM users WHERE id = 1"];
        let mut lock = Lock::on(database, "pg_catalog.pg_inherits");
        let mut early = asking(server, words);
        // The comparison of definitions, and the description.
        lock.await_arrivals(2);
        database.execute("ALTER TABLE users RENAME TO former; ALTER TABLE later RENAME TO users");
        lock.release();
        assert_eq!(early.receive().json(), json!([{"name": "later"}]));
        store(client, words);
        database.execute("UPDATE users SET name = 'newest'");
        await_result(client, words, &json!([{"name": "newest"}]));
    });
}
