//! Every way in which rows of PostgreSQL change, as a reader of a watched table sees it.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{json, Value};
use support::watched::{await_freshness, cache, gaps, is_cached, listening, start_listening, watch, FEEDS, MODES};
use support::{eventually, on_every_server, Client, Database, Postgres, Reply, Server};

const NOTES: &str = "CREATE TABLE notes (id int PRIMARY KEY, v text);
    INSERT INTO notes SELECT n, 'old' FROM generate_series(1, 10) n;";

fn id(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

/// The row's `v`; null for no row.
fn v(reply: &Reply) -> Value {
    match reply {
        Reply::Nil => Value::Null,
        row => row.json()["v"].clone(),
    }
}

fn await_v(client: &mut Client, table: &str, key: &str, wanted: impl Into<Value>) {
    let wanted = wanted.into();
    eventually(&format!("{table} {key} is {wanted}"), || {
        let reply = client.read(table, key);
        (matches!(reply, Reply::Bulk(_) | Reply::Nil) && v(&reply) == wanted).then_some(())
    });
}

/// On every server and in every way of telling, `table` of `setup` being watched.
fn with_watched(setup: &str, table: &str, test: impl Fn(&Database<'_>, &mut Client)) {
    with_watched_by(&FEEDS, setup, table, test);
}

fn with_watched_by(feeds: &[&str], setup: &str, table: &str, test: impl Fn(&Database<'_>, &mut Client)) {
    on_every_server(|kind| {
        for mode in feeds {
            let database = Postgres::shared().database();
            database.execute(setup);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            watch(&mut client, table);
            test(&database, &mut client);
        }
    });
}

/// Row 1 of `table` is cached and `sql` changes it. Row 2 is cached as well and stays.
fn assert_seen(setup: &str, table: &str, sql: &str, wanted: impl Into<Value>) {
    assert_seen_by(&FEEDS, setup, table, sql, wanted);
}

fn assert_seen_by(feeds: &[&str], setup: &str, table: &str, sql: &str, wanted: impl Into<Value>) {
    let wanted = wanted.into();
    with_watched_by(feeds, setup, table, |database, client| {
        cache(client, table, &id(2));
        cache(client, table, &id(1));
        database.execute(sql);
        await_v(client, table, &id(1), wanted.clone());
        assert!(is_cached(client, table, &id(2)), "the other row is as it was");
    });
}

#[test]
fn a_row_that_was_read_before_its_change_was_told_and_comes_after_it_is_not_stored() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let database = Postgres::shared().database();
            database.execute(NOTES);
            let setup = Server::setup(&kind).on(&database).setting("invalidation", mode);
            let server = start_listening(setup.setting("test_hooks", "yes"));
            let mut client = server.client();
            watch(&mut client, "notes");
            cache(&mut client, "notes", &id(1));
            client.set("test_fill_delay_ms", "300");
            for round in 0..10 {
                client.invalidate("notes", &id(1));
                let (mut reader, misses) = (server.client(), client.figure("misses"));
                reader.send(&["PGCACHE.READ", "notes", &id(1)]);
                eventually("it is loaded", || (client.figure("misses") > misses).then_some(()));
                database.execute(&format!("UPDATE notes SET v = 'v{round}' WHERE id = 1"));
                reader.receive();
                await_v(&mut client, "notes", &id(1), format!("v{round}"));
            }
        }
    });
}

#[test]
fn a_commit_that_waits_for_a_standby_is_told_when_it_can_be_seen() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let postgres = Postgres::start();
            let database = postgres.database();
            database.execute(NOTES);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            watch(&mut client, "notes");
            cache(&mut client, "notes", &id(1));
            let name_standbys = |names: &str| {
                let sql = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
                database.execute(&sql).execute("SELECT pg_reload_conf()");
            };
            name_standbys("ghost");
            eventually("commits wait", || (database.text("SHOW synchronous_standby_names")? == "ghost").then_some(()));
            std::thread::scope(|scope| {
                scope.spawn(|| database.execute("UPDATE notes SET v = 'new' WHERE id = 1"));
                eventually("the commit waits", || {
                    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
                    (database.number(waiting) > 0).then_some(())
                });
                for _ in 0..10 {
                    assert_eq!(v(&client.read("notes", &id(1))), "old", "nobody can see it yet");
                    client.invalidate("notes", &id(1));
                }
                name_standbys("");
            });
            await_v(&mut client, "notes", &id(1), "new");
        }
    });
}

#[test]
fn a_server_that_another_one_took_over_from_is_a_gap() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let primary = Postgres::start();
            let database = primary.database();
            database.execute(NOTES);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            watch(&mut client, "notes");
            let standby = primary.standby();
            let arrived = || standby.connect(&database.name).is_ok();
            eventually("the standby answers", || arrived().then_some(()));
            cache(&mut client, "notes", &id(1));
            // What the standby has not got is lost, although it was cached.
            standby.stop();
            database.execute("UPDATE notes SET v = 'lost' WHERE id = 1");
            await_v(&mut client, "notes", &id(1), "lost");
            primary.kill();
            standby.use_port(primary.port());
            standby.start_again();
            primary.connect("postgres").unwrap().batch_execute("SELECT pg_promote()").unwrap();
            await_v(&mut client, "notes", &id(1), "old");
            await_freshness(&mut client, "live");
            assert!(gaps(&mut client, "failed_over") >= 1, "{mode}");
        }
    });
}

const MEASURES: &str = "CREATE TABLE measures (id int, region int, v text, PRIMARY KEY (id, region))
        PARTITION BY LIST (region);
    CREATE TABLE measures_1 PARTITION OF measures FOR VALUES IN (1);
    CREATE TABLE measures_2 PARTITION OF measures FOR VALUES IN (2);
    INSERT INTO measures VALUES (1, 1, 'old'), (2, 2, 'old');";

#[test]
fn a_truncate_of_one_partition_is_seen_through_the_root() {
    with_watched(MEASURES, "measures", |database, client| {
        let key = r#"{"id":1,"region":1}"#;
        cache(client, "measures", key);
        database.execute("TRUNCATE measures_1");
        await_v(client, "measures", key, Value::Null);
        await_v(client, "measures", r#"{"id":2,"region":2}"#, "old");
    });
}

#[test]
fn a_row_that_moves_to_another_partition_is_seen_at_both() {
    with_watched(MEASURES, "measures", |database, client| {
        let (from, to) = (r#"{"id":1,"region":1}"#, r#"{"id":1,"region":2}"#);
        cache(client, "measures", from);
        assert_eq!(client.read("measures", to), Reply::Nil);
        database.execute("UPDATE measures SET region = 2 WHERE id = 1");
        await_v(client, "measures", to, "old");
        await_v(client, "measures", from, Value::Null);
    });
}

#[test]
fn a_copy_is_seen() {
    with_watched(NOTES, "notes", |database, client| {
        for id_ in [11, 5_000] {
            assert_eq!(client.read("notes", &id(id_)), Reply::Nil);
        }
        database.execute("COPY notes FROM PROGRAM 'seq 11 5000 | sed s/$/,copied/' (FORMAT csv)");
        for id_ in [11, 5_000] {
            await_v(client, "notes", &id(id_), "copied");
        }
    });
}

#[test]
fn triggers_watch_an_unlogged_table_like_any_other() {
    let setup = NOTES.replace("CREATE TABLE", "CREATE UNLOGGED TABLE");
    assert_seen_by(&MODES, &setup, "notes", "UPDATE notes SET v = 'new' WHERE id = 1", "new");
}

#[test]
fn a_row_of_an_heir_is_seen_through_its_parent() {
    let setup = format!(
        "{NOTES} CREATE TABLE special () INHERITS (notes); ALTER TABLE special ADD PRIMARY KEY (id);
         DELETE FROM notes WHERE id < 3; INSERT INTO special VALUES (1, 'old'), (2, 'old');"
    );
    assert_seen(&setup, "notes", "UPDATE special SET v = 'new' WHERE id = 1", "new");
}

#[test]
fn what_a_session_with_the_role_of_a_replica_writes_is_seen() {
    let sql = "SET session_replication_role = replica; UPDATE notes SET v = 'new' WHERE id = 1";
    assert_seen(NOTES, "notes", sql, "new");
}

#[test]
fn an_upsert_is_seen() {
    let sql = "INSERT INTO notes VALUES (1, 'new') ON CONFLICT (id) DO UPDATE SET v = excluded.v";
    assert_seen(NOTES, "notes", sql, "new");
}

#[test]
fn a_cascade_is_seen_where_it_arrives() {
    let setup = "CREATE TABLE owners (id int PRIMARY KEY); INSERT INTO owners VALUES (7), (8);
        CREATE TABLE notes (id int PRIMARY KEY, v int REFERENCES owners ON UPDATE CASCADE ON DELETE SET NULL);
        INSERT INTO notes VALUES (1, 7), (2, 8);";
    assert_seen(setup, "notes", "UPDATE owners SET id = 9 WHERE id = 7", 9);
    assert_seen(setup, "notes", "DELETE FROM owners WHERE id = 7", Value::Null);
}

#[test]
fn what_another_trigger_writes_is_seen() {
    let setup = format!(
        "{NOTES} CREATE TABLE orders (id int, note int);
         CREATE FUNCTION note_order() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN UPDATE notes SET v = 'ordered' WHERE id = NEW.note; RETURN NULL; END $$;
         CREATE TRIGGER note_order AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note_order();"
    );
    assert_seen(&setup, "notes", "INSERT INTO orders VALUES (1, 1)", "ordered");
}

#[test]
fn a_generated_column_is_seen_with_what_it_is_made_of() {
    let setup = "CREATE TABLE notes (id int PRIMARY KEY, n int, v int GENERATED ALWAYS AS (n * 2) STORED);
        INSERT INTO notes VALUES (1, 1), (2, 2);";
    assert_seen(setup, "notes", "UPDATE notes SET n = 50 WHERE id = 1", 100);
}

#[test]
fn a_value_stored_out_of_line_is_seen_when_it_changes_and_comes_along_when_another_does() {
    let setup = "CREATE TABLE notes (id int PRIMARY KEY, v int, wide text);
        ALTER TABLE notes ALTER COLUMN wide SET STORAGE EXTERNAL;
        INSERT INTO notes SELECT n, 1, repeat('a', 300000) FROM generate_series(1, 2) n;";
    assert_seen(setup, "notes", "UPDATE notes SET v = 2 WHERE id = 1", 2);
    with_watched(setup, "notes", |database, client| {
        cache(client, "notes", &id(1));
        database.execute("UPDATE notes SET v = 2, wide = repeat('b', 300000) WHERE id = 1");
        await_v(client, "notes", &id(1), 2);
        assert_eq!(client.read("notes", &id(1)).json()["wide"], "b".repeat(300_000));
        database.execute("UPDATE notes SET v = 3 WHERE id = 1");
        await_v(client, "notes", &id(1), 3);
        assert_eq!(client.read("notes", &id(1)).json()["wide"], "b".repeat(300_000));
    });
}

#[test]
fn a_row_that_a_policy_hides_from_then_on_is_not_served() {
    on_every_server(|kind| {
        for mode in FEEDS {
            let database = Postgres::shared().database();
            let role = format!("reader_{}", database.name);
            database.execute(NOTES).execute(&format!(
                "CREATE ROLE {role} LOGIN; GRANT SELECT ON notes TO {role};
                 ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
                 CREATE POLICY public_ones ON notes USING (v <> 'secret')"
            ));
            // Its superuser watches; the role, for which the policy holds, only reads.
            let installer = listening(&kind, &database, mode);
            watch(&mut installer.client(), "notes");
            let setup = Server::setup(&kind).on(&database).setting("invalidation", mode);
            let setup = setup.setting("pg_user", &role).setting("default_ttl", "3600");
            let granted = match mode {
                "notify" => {
                    format!("GRANT USAGE ON SCHEMA pgcache TO {role}; GRANT SELECT ON pgcache.secret TO {role}")
                }
                "wal" => format!("ALTER ROLE {role} REPLICATION"),
                _ => format!(
                    "GRANT USAGE ON SCHEMA pgcache TO {role};
                     GRANT SELECT, DELETE ON pgcache.outbox TO {role};
                     GRANT SELECT, INSERT, UPDATE ON pgcache.outbox_state TO {role};
                     GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA pgcache TO {role}"
                ),
            };
            database.execute(&granted);
            let server = start_listening(setup);
            let mut client = server.client();
            cache(&mut client, "notes", &id(1));
            database.execute("UPDATE notes SET v = 'secret' WHERE id = 1");
            await_v(&mut client, "notes", &id(1), Value::Null);
            database.execute("UPDATE notes SET v = 'told' WHERE id = 1");
            await_v(&mut client, "notes", &id(1), "told");
        }
    });
}

#[test]
fn a_prepared_transaction_is_seen_once_it_is_committed() {
    on_every_server(|kind| {
        for mode in ["outbox", "wal"] {
            let postgres = Postgres::start_with("max_prepared_transactions=5");
            let database = postgres.database();
            database.execute(NOTES);
            let server = listening(&kind, &database, mode);
            let mut client = server.client();
            watch(&mut client, "notes");
            cache(&mut client, "notes", &id(1));
            database.execute("BEGIN; UPDATE notes SET v = 'new' WHERE id = 1; PREPARE TRANSACTION 'two'");
            assert_eq!(v(&client.read("notes", &id(1))), "old");
            database.execute("COMMIT PREPARED 'two'");
            await_v(&mut client, "notes", &id(1), "new");
        }
    });
}

#[test]
fn an_asynchronous_commit_is_seen() {
    let sql = "SET synchronous_commit = off; UPDATE notes SET v = 'new' WHERE id = 1";
    assert_seen(NOTES, "notes", sql, "new");
}

#[test]
fn every_row_of_a_long_transaction_is_seen() {
    with_watched(NOTES, "notes", |database, client| {
        for id_ in 1..=10 {
            cache(client, "notes", &id(id_));
        }
        database.execute(
            "DO $$ BEGIN
                 FOR n IN 1..10000 LOOP INSERT INTO notes VALUES (100 + n, 'more'); END LOOP;
                 FOR n IN 1..10 LOOP UPDATE notes SET v = 'new' WHERE id = n; END LOOP;
             END $$",
        );
        for id_ in 1..=10 {
            await_v(client, "notes", &id(id_), "new");
        }
    });
}

#[test]
fn what_was_rolled_back_is_not_seen_and_drops_nothing() {
    with_watched(NOTES, "notes", |database, client| {
        cache(client, "notes", &id(1));
        database.execute("BEGIN; UPDATE notes SET v = 'never' WHERE id = 1; ROLLBACK");
        database.execute(
            "BEGIN; SAVEPOINT s; UPDATE notes SET v = 'never' WHERE id = 1; ROLLBACK TO s;
             UPDATE notes SET v = 'new' WHERE id = 2; COMMIT",
        );
        await_v(client, "notes", &id(2), "new");
        assert!(is_cached(client, "notes", &id(1)));
        assert_eq!(v(&client.read("notes", &id(1))), "old");
    });
}

#[test]
fn tables_of_one_name_in_two_schemas_are_two() {
    let setup = format!(
        "{NOTES} CREATE SCHEMA other; CREATE TABLE other.notes (LIKE notes INCLUDING ALL);
         INSERT INTO other.notes SELECT * FROM notes"
    );
    with_watched(&setup, "notes", |database, client| {
        watch(client, "other.notes");
        cache(client, "notes", &id(1));
        cache(client, "other.notes", &id(1));
        database.execute("UPDATE other.notes SET v = 'new' WHERE id = 1");
        await_v(client, "other.notes", &id(1), "new");
        assert!(is_cached(client, "notes", &id(1)));
        assert_eq!(v(&client.read("notes", &id(1))), "old");
    });
}

#[test]
fn a_foreign_table_lives_by_its_time_to_live() {
    let far = Postgres::shared().database();
    far.execute(NOTES);
    let setup = format!(
        "CREATE EXTENSION postgres_fdw;
         CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw
             OPTIONS (host '127.0.0.1', port '{}', dbname '{}');
         CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user '{}', password_required 'false');
         CREATE FOREIGN TABLE away (id int, v text) SERVER far OPTIONS (table_name 'notes')",
        far.postgres.port(),
        far.name,
        far.text("SELECT current_user").unwrap(),
    );
    with_watched(&format!("{NOTES}{setup}"), "notes", |_, client| {
        assert_eq!(client.call(&["PGCACHE.WATCH", "ADD", "away"]).code(), "PGERR");
        assert_eq!(cache(client, "away", &id(1)).json(), json!({"id": 1, "v": "old"}));
        far.execute("UPDATE notes SET v = v || '!' WHERE id = 1");
        assert_eq!(v(&client.read("away", &id(1))), "old", "nothing tells of that");
        client.invalidate("away", &id(1));
        assert_ne!(v(&client.read("away", &id(1))), "old");
        far.execute("UPDATE notes SET v = 'old' WHERE id = 1");
    });
}

/// What such a value looks like depends on the search path of whoever writes it.
#[test]
fn rows_whose_keys_are_names_of_objects_are_followed() {
    let setup = "CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE kind AS ENUM ('a');
        CREATE DOMAIN function_name AS regproc; CREATE TYPE named AS (name regtype);
        CREATE TABLE objects (k regproc UNIQUE, d function_name UNIQUE, t regtype UNIQUE, c regclass UNIQUE, l regtype[] UNIQUE,
            n named UNIQUE, v int);
        ALTER TABLE objects REPLICA IDENTITY FULL;
        INSERT INTO objects VALUES ('g', 'g', 'kind', 'objects', '{kind}', ROW('kind'), 1)";
    with_watched(setup, "objects", |database, client| {
        let keys = [
            r#"{"k":"g"}"#,
            r#"{"d":"g"}"#,
            r#"{"t":"kind"}"#,
            r#"{"c":"objects"}"#,
            r#"{"l":["kind"]}"#,
            r#"{"n":{"name":"kind"}}"#,
        ];
        for (index, path) in ["public", "pg_catalog"].iter().enumerate() {
            for key in keys {
                cache(client, "objects", key);
            }
            database.execute(&format!("SET search_path = {path}; UPDATE public.objects SET v = {}", index + 2));
            for key in keys {
                await_v(client, "objects", key, index + 2);
            }
        }
    });
}
