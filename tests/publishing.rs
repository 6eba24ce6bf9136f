//! What WATCH publishes for the write-ahead log, what it refuses, and that no UPDATE fails because of it.
#![allow(clippy::unwrap_used)]

mod support;

use pgcache::cache::error::Error;
use pgcache::cdc::install::{self, Mode, Watched};
use pgcache::settings::AllowTables;
use postgres::Client;
use support::{Database, Postgres};

const LOGICAL: &str = "wal_level = logical\nmax_prepared_transactions = 10\n";

/// A PostgreSQL whose log tells of changes.
fn logical() -> &'static Postgres {
    static SHARED: std::sync::OnceLock<Postgres> = std::sync::OnceLock::new();
    SHARED.get_or_init(|| Postgres::start_with(LOGICAL))
}

fn add_by(client: &mut Client, table: &str, mode: Mode) -> Result<(), Error> {
    install::add(client, table, mode, &AllowTables::default()).unwrap()
}

fn watch(database: &Database<'_>, table: &str) {
    add_by(&mut database.connect(), table, Mode::Wal).unwrap();
}

fn refused(database: &Database<'_>, table: &str) -> String {
    add_by(&mut database.connect(), table, Mode::Wal).unwrap_err().to_string()
}

fn unwatch(database: &Database<'_>, table: &str) {
    install::del(&mut database.connect(), table, &AllowTables::default()).unwrap().unwrap();
}

fn listed(database: &Database<'_>) -> Vec<Watched> {
    install::list(&mut database.connect()).unwrap()
}

/// What the publication has, with its columns where it has not all of them.
fn published(database: &Database<'_>) -> String {
    let has_lists = database.number("SELECT current_setting('server_version_num')::bigint") >= 150_000;
    let columns = if has_lists {
        "coalesce((SELECT '(' || string_agg(a.attname, ',' ORDER BY a.attnum) || ')' FROM pg_attribute a
                    WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)), '')"
    } else {
        "''"
    };
    let sql = format!(
        "SELECT coalesce(string_agg(r.prrelid::regclass || {columns}, ' ' ORDER BY r.prrelid::regclass::text), '')
           FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = 'pgcache'"
    );
    database.text(&sql).unwrap()
}

fn is_whole(database: &Database<'_>, table: &str) -> bool {
    let oid = database.number(&format!("SELECT '{table}'::regclass::oid::bigint")) as u32;
    install::is_told(&mut database.connect(), oid, Mode::Wal).unwrap()
}

fn connect_as(database: &Database<'_>, role: &str) -> Client {
    let options = format!("host=127.0.0.1 port={} user={role} dbname={}", database.postgres.port(), database.name);
    Client::connect(&options, postgres::NoTls).unwrap()
}

/// How many triggers and functions of ours there are.
fn pieces(database: &Database<'_>) -> (i64, i64) {
    (
        database.number(r"SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'pgcache\_%'"),
        database.number(
            "SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace('pgcache') AND proname LIKE 'changed%'",
        ),
    )
}

#[test]
fn a_table_is_published_with_the_columns_that_name_its_rows() {
    let database = logical().database();
    database.with_users(2);
    watch(&database, "users");
    assert_eq!(published(&database), "users(id)");
    assert!(is_whole(&database, "users"));
    assert_eq!(pieces(&database), (0, 0));
    let flags = "SELECT concat(pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot) FROM pg_publication";
    assert_eq!(database.text(flags).unwrap(), "ttttf");
    database.execute("UPDATE users SET email = 'x', id = 7 WHERE id = 1; DELETE FROM users; TRUNCATE users");
}

#[test]
fn the_identity_decides_what_is_published() {
    let database = logical().database();
    database.execute(
        "CREATE TABLE by_index (id int PRIMARY KEY, a int NOT NULL, b text NOT NULL, UNIQUE (b, a));
         ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_b_a_key;
         CREATE TABLE whole (id int, note text); ALTER TABLE whole REPLICA IDENTITY FULL;
         CREATE TABLE including (id int, note text, PRIMARY KEY (id) INCLUDE (note))",
    );
    for table in ["by_index", "whole", "including"] {
        watch(&database, table);
        assert!(is_whole(&database, table), "{table}");
    }
    assert_eq!(published(&database), "by_index(a,b) including(id) whole");
    database.execute(
        "INSERT INTO by_index VALUES (1, 1, 'x'); UPDATE by_index SET id = 2, a = 3; DELETE FROM by_index;
         INSERT INTO whole VALUES (1, 'x'); UPDATE whole SET id = 2; DELETE FROM whole;
         INSERT INTO including VALUES (1, 'x'); UPDATE including SET note = 'y'; DELETE FROM including",
    );
}

#[test]
fn a_second_time_changes_nothing() {
    let database = logical().database();
    database.with_users(1);
    watch(&database, "users");
    let number =
        "SELECT concat(p.oid, ' ', p.xmin, ' ', r.oid, ' ', r.xmin) FROM pg_publication p, pg_publication_rel r";
    let before = database.text(number);
    watch(&database, "users");
    assert_eq!(database.text(number), before);
    let script = install::sql(&mut database.connect(), "users", Mode::Wal, &AllowTables::default()).unwrap().unwrap();
    database.psql(&["search_path=public", "standard_conforming_strings=off"], &script.to_string());
    assert_eq!(database.text(number), before);
}

#[test]
fn partitions_come_with_their_table() {
    let database = logical().database();
    database.execute(
        "CREATE TABLE logs (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    );
    watch(&database, "logs");
    assert_eq!(published(&database), "logs");
    assert!(is_whole(&database, "logs") && is_whole(&database, "logs_1"));
    database.execute("CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')");
    assert!(is_whole(&database, "logs") && is_whole(&database, "logs_2"));
    database.execute("INSERT INTO logs VALUES (1, '2026-01-02'); UPDATE logs SET at = '2027-02-03'; DELETE FROM logs");
    let listed = listed(&database);
    assert_eq!((listed.len(), listed[0].published_as.as_deref(), listed[0].partitions), (1, Some("root"), 2));
    unwatch(&database, "logs");
    assert_eq!(published(&database), "");
}

#[test]
fn a_partition_may_be_watched_alone() {
    let database = logical().database();
    database.execute(
        "CREATE TABLE logs (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (10)",
    );
    watch(&database, "logs_1");
    assert_eq!(published(&database), "logs_1(id)");
    assert!(is_whole(&database, "logs_1") && !is_whole(&database, "logs"));
    assert_eq!(listed(&database)[0].published_as.as_deref(), Some("leaf"));
    watch(&database, "logs");
    assert!(is_whole(&database, "logs"));
    database.execute("INSERT INTO logs VALUES (1); UPDATE logs SET id = 2");
}

#[test]
fn heirs_are_published_each() {
    let database = logical().database();
    database.execute(
        "CREATE TABLE base (id int PRIMARY KEY, note text);
         CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (base)",
    );
    watch(&database, "base");
    assert_eq!(published(&database), "base(id) heir(id)");
    let list = listed(&database);
    assert_eq!((list.len(), list[0].partitions, list[0].is_whole), (1, 1, true));
    database.execute("CREATE TABLE late (PRIMARY KEY (id)) INHERITS (base)");
    assert!(!is_whole(&database, "base"));
    watch(&database, "base");
    assert!(is_whole(&database, "base"));
    unwatch(&database, "heir");
    assert_eq!(published(&database), "base(id) heir(id) late(id)", "it belongs to another");
    unwatch(&database, "base");
    assert_eq!(published(&database), "");
}

#[test]
fn names_are_quoted() {
    let database = logical().database();
    database.execute(
        r#"CREATE SCHEMA "My App"; CREATE TABLE "My App"."a""b; c" ("the ""key"", '$pgcache$'" int PRIMARY KEY, v int)"#,
    );
    watch(&database, r#""My App"."a""b; c""#);
    let list = listed(&database);
    assert_eq!(list[0].name, r#""My App"."a""b; c""#);
    assert_eq!(list[0].columns.as_deref(), Some(&[r#"the "key", '$pgcache$'"#.to_owned()][..]));
    unwatch(&database, r#""My App"."a""b; c""#);
    assert!(listed(&database).is_empty());
}

#[test]
fn a_table_without_a_replica_identity_is_refused_with_what_to_do() {
    let database = logical().database();
    database.execute(
        "CREATE TABLE bare (id int); CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
         CREATE TABLE later (id int PRIMARY KEY DEFERRABLE);
         CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (10); ALTER TABLE part REPLICA IDENTITY NOTHING;
         CREATE TABLE made (id int, twice int GENERATED ALWAYS AS (id * 2) STORED PRIMARY KEY)",
    );
    for table in ["bare", "nothing", "later", "parts"] {
        let text = refused(&database, table);
        assert!(text.contains("has no replica identity") && text.contains("REPLICA IDENTITY USING INDEX"), "{text}");
    }
    assert!(refused(&database, "parts").contains("public.part has no"), "{}", refused(&database, "parts"));
    assert!(refused(&database, "made").contains("generated column"), "{}", refused(&database, "made"));
    assert_eq!(database.number("SELECT count(*) FROM pg_publication"), 0);
}

#[test]
fn what_the_log_does_not_tell_of_lives_by_its_ttl() {
    let database = logical().database();
    database.execute(
        "CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY);
         CREATE TABLE t (id int PRIMARY KEY); CREATE MATERIALIZED VIEW m AS SELECT * FROM t",
    );
    for (table, what) in [("fleeting", "an unlogged table"), ("m", "a materialised view"), ("pg_class", "not allowed")]
    {
        let text = refused(&database, table);
        assert!(text.contains(what), "{text}");
    }
}

#[test]
fn the_tables_of_a_view_are_published() {
    let database = logical().database();
    database.execute(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY);
         CREATE VIEW v AS SELECT a.id FROM a JOIN b USING (id)",
    );
    watch(&database, "v");
    assert_eq!(published(&database), "a(id) b(id)");
    assert!(is_whole(&database, "v"));
}

#[test]
fn a_log_that_tells_too_little_is_refused_with_what_to_do() {
    let postgres = Postgres::start_with("wal_level = replica");
    let database = postgres.database();
    database.with_users(1);
    let text = refused(&database, "users");
    assert!(text.contains("wal_level of PostgreSQL is replica") && text.contains("restart PostgreSQL"), "{text}");
}

#[test]
fn a_table_with_triggers_switches_in_one_transaction_and_back() {
    for mode in [Mode::Notify, Mode::Outbox] {
        let database = logical().database();
        database.with_users(1);
        let mut client = database.connect();
        add_by(&mut client, "users", mode).unwrap();
        let script = install::sql(&mut client, "users", Mode::Wal, &AllowTables::default()).unwrap().unwrap();
        assert_eq!(script.triggers.matches("COMMIT;").count(), 1);
        add_by(&mut client, "users", Mode::Wal).unwrap();
        assert_eq!((pieces(&database), published(&database).as_str()), ((0, 0), "users(id)"));
        assert!(is_whole(&database, "users"));
        assert_eq!(database.number("SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'pgcache%'"), 2);
        add_by(&mut client, "users", mode).unwrap();
        assert_eq!((pieces(&database), published(&database).as_str()), ((4, 1), ""));
        let listed = listed(&database);
        assert_eq!((listed.len(), listed[0].mode, listed[0].is_whole), (1, mode, true));
    }
}

#[test]
fn the_last_table_leaves_an_empty_publication_and_nothing_else() {
    let database = logical().database();
    database.with_users(1).execute("CREATE TABLE t (id int PRIMARY KEY)");
    watch(&database, "users");
    watch(&database, "t");
    unwatch(&database, "users");
    assert_eq!(database.number("SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'pgcache%'"), 2);
    unwatch(&database, "t");
    assert_eq!(database.number("SELECT count(*) FROM pg_publication WHERE pubname = 'pgcache'"), 1);
    assert_eq!(database.text("SELECT to_regnamespace('pgcache')::text"), None);
    assert_eq!(database.number("SELECT count(*) FROM pg_event_trigger WHERE evtname LIKE 'pgcache%'"), 0);
}

#[test]
fn a_role_needs_the_table_and_may_create_in_the_database() {
    let database = logical().database();
    let role = format!("owner_{}", database.name);
    database.execute(&format!(
        "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {} TO {role}; GRANT CREATE ON SCHEMA public TO {role}",
        database.name
    ));
    let mut owner = connect_as(&database, &role);
    owner.batch_execute("CREATE TABLE mine (id int PRIMARY KEY)").unwrap();
    add_by(&mut owner, "mine", Mode::Wal).unwrap();
    assert!(is_whole(&database, "mine"));
    assert!(!listed(&database)[0].has_event_triggers);
    database.execute("CREATE TABLE theirs (id int PRIMARY KEY)");
    let error = install::add(&mut owner, "theirs", Mode::Wal, &AllowTables::default()).unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42501");
    let other = format!("other_{}", database.name);
    database.execute(&format!(
        "CREATE ROLE {other} LOGIN; GRANT CREATE ON DATABASE {} TO {other}; GRANT CREATE ON SCHEMA public TO {other}",
        database.name
    ));
    let mut other = connect_as(&database, &other);
    other.batch_execute("CREATE TABLE others (id int PRIMARY KEY)").unwrap();
    let error = install::add(&mut other, "others", Mode::Wal, &AllowTables::default()).unwrap_err();
    assert!(
        error.as_db_error().unwrap().message().contains("publication pgcache belongs to another role"),
        "{error:?}"
    );
}

#[test]
fn a_publication_of_all_tables_is_refused() {
    let database = logical().database();
    database.with_users(1).execute("CREATE PUBLICATION pgcache FOR ALL TABLES");
    let error = install::add(&mut database.connect(), "users", Mode::Wal, &AllowTables::default()).unwrap_err();
    assert!(error.as_db_error().unwrap().message().contains("FOR ALL TABLES"), "{error:?}");
}

#[test]
fn a_publication_that_tells_less_is_not_relied_on_until_it_is_watched_again() {
    for alter in [
        "ALTER PUBLICATION pgcache SET (publish = 'insert, update')",
        "ALTER PUBLICATION pgcache SET (publish_via_partition_root = true)",
        "ALTER PUBLICATION pgcache SET TABLE users WHERE (id > 5)",
        "ALTER PUBLICATION pgcache DROP TABLE users",
        "DROP PUBLICATION pgcache",
        "ALTER PUBLICATION pgcache SET TABLE users (email)",
    ] {
        let database = logical().database();
        database.with_users(1);
        if alter.contains("users ") && database.number("SELECT current_setting('server_version_num')::bigint") < 150_000
        {
            continue;
        }
        watch(&database, "users");
        database.execute(alter);
        assert!(!is_whole(&database, "users"), "{alter}");
        watch(&database, "users");
        assert!(is_whole(&database, "users"), "{alter}");
    }
}

/// What takes a table's replica identity away, or puts more into it than is published.
const BREAKING: [&str; 4] = [
    "ALTER TABLE users DROP CONSTRAINT users_pkey",
    "ALTER TABLE users REPLICA IDENTITY NOTHING",
    "ALTER TABLE users REPLICA IDENTITY FULL",
    "ALTER TABLE users ALTER email SET NOT NULL; ALTER TABLE users REPLICA IDENTITY USING INDEX users_email_key",
];

#[test]
fn an_update_never_fails_because_the_table_is_published() {
    for breaking in BREAKING {
        let database = logical().database();
        database.with_users(2);
        watch(&database, "users");
        database.execute(&format!("BEGIN; {breaking}; UPDATE users SET name = 'x' WHERE id = 1; COMMIT"));
        database.execute("UPDATE users SET name = 'y' WHERE id = 2; DELETE FROM users WHERE id = 2");
        assert!(published(&database).is_empty() || is_whole(&database, "users"), "{breaking}");
    }
}

#[test]
fn an_index_that_names_rows_may_be_dropped() {
    let database = logical().database();
    database.execute(
        "CREATE TABLE t (a int NOT NULL, v int); CREATE UNIQUE INDEX t_a ON t (a); ALTER TABLE t REPLICA IDENTITY USING INDEX t_a;
         INSERT INTO t VALUES (1, 1)",
    );
    watch(&database, "t");
    database.execute("DROP INDEX t_a; UPDATE t SET v = 2");
    assert_eq!(published(&database), "");
}

#[test]
fn a_partition_without_an_identity_takes_its_table_out() {
    let database = logical().database();
    database.execute(
        "CREATE TABLE logs (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (10); INSERT INTO logs VALUES (1)",
    );
    watch(&database, "logs");
    database.execute("ALTER TABLE logs_1 REPLICA IDENTITY NOTHING; UPDATE logs SET id = 2");
    assert_eq!(published(&database), "");
}

#[test]
fn without_event_triggers_healing_does_the_same() {
    for breaking in BREAKING {
        let database = logical().database();
        database.with_users(2);
        watch(&database, "users");
        database.execute("DROP EVENT TRIGGER pgcache_ddl; DROP EVENT TRIGGER pgcache_drop");
        database.execute(breaking);
        assert!(
            database.connect().batch_execute("UPDATE users SET name = 'x'").is_err() || published(&database) == "users",
            "{breaking}"
        );
        install::heal(&mut database.connect()).unwrap();
        database.execute("UPDATE users SET name = 'x'");
    }
}

#[test]
fn changed_definitions_are_told_in_the_log() {
    let database = logical().database();
    database.with_users(1);
    watch(&database, "users");
    let users = database.number("SELECT 'users'::regclass::oid::bigint");
    let mut client = database.connect();
    client.query("SELECT pg_create_logical_replication_slot($1, 'test_decoding')", &[&database.name]).unwrap();
    client.batch_execute("ALTER TABLE users ADD note text; CREATE INDEX i ON users (note); DROP INDEX i").unwrap();
    let sql = "SELECT data FROM pg_logical_slot_get_changes($1, NULL, NULL) WHERE data LIKE '%pgcache.ddl%'";
    let told: Vec<String> = client.query(sql, &[&database.name]).unwrap().iter().map(|row| row.get(0)).collect();
    client.query("SELECT pg_drop_replication_slot($1)", &[&database.name]).unwrap();
    let named = told.iter().filter(|line| line.contains(&format!(r#"{{"pgcache":1,"ddl":[{users}]}}"#))).count();
    assert_eq!((told.len(), named), (3, 2), "{told:?}");
}

#[test]
fn a_prepared_transaction_may_change_definitions_and_rows() {
    let database = logical().database();
    database.with_users(1);
    watch(&database, "users");
    database.execute("BEGIN; ALTER TABLE users ADD note text; UPDATE users SET note = 'x'; PREPARE TRANSACTION 'two'");
    database.execute("COMMIT PREPARED 'two'");
}
