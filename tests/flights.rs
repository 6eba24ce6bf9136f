//! One load for all who wait for a row, and no load that puts an old row back.
#![allow(clippy::unwrap_used)]

mod support;

use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server, FOREVER_MS};

/// The table whose rows wait at the gate.
const USERS: &str = "CREATE TABLE users (id bigint PRIMARY KEY, name text);
    INSERT INTO users SELECT n, 'old' FROM generate_series(1, 10) n;";

/// A database in which statements can be held after they have read a row as it was.
struct Gated<'p> {
    database: Database<'p>,
    keeper: postgres::Client,
}

impl Gated<'static> {
    /// Makes `tables` with a policy that lets statements wait in the middle, while the gate is shut.
    fn with(tables: &str, names: &[&str]) -> Self {
        let database = Postgres::shared().database();
        let role = format!("reader_{}", database.name);
        database.execute(&format!(
            "{tables}
             CREATE ROLE {role} LOGIN;
             CREATE TABLE gate (shut boolean, fails boolean);
             INSERT INTO gate VALUES (true, false);
             CREATE FUNCTION pass_the_gate() RETURNS boolean VOLATILE LANGUAGE plpgsql AS $$
             BEGIN
                 IF (SELECT shut FROM gate) THEN PERFORM pg_advisory_xact_lock_shared(1); END IF;
                 IF (SELECT fails FROM gate) THEN RAISE EXCEPTION 'the gate fails'; END IF;
                 RETURN true;
             END $$;
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};"
        ));
        for name in names {
            database.execute(&format!(
                "ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;
                 CREATE POLICY gated ON {name} USING (pass_the_gate());"
            ));
        }
        let keeper = database.connect();
        Self { database, keeper }
    }

    fn users() -> Self {
        Self::with(USERS, &["users"])
    }

    /// A server that reads as the role for which the policy holds.
    fn server(&self, kind: &Kind) -> Server {
        let role = format!("reader_{}", self.database.name);
        let setup = Server::setup(kind).on(&self.database).setting("pg_user", &role);
        setup.setting("test_hooks", "yes").start()
    }

    fn shut(&mut self) {
        self.keeper.batch_execute("SELECT pg_advisory_lock(1)").unwrap();
    }

    /// Waits until so many statements stand at the gate.
    fn await_arrivals(&mut self, count: i64) {
        let sql = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                   WHERE d.datname = current_database() AND locktype = 'advisory' AND NOT granted";
        eventually("statements stand at the gate", || {
            let arrived: i64 = self.keeper.query_one(sql, &[]).unwrap().get(0);
            (arrived == count).then_some(())
        });
    }

    /// From now on statements pass; those that stand at the gate stay there.
    fn let_others_pass(&self) {
        self.database.execute("UPDATE gate SET shut = false");
    }

    fn open(&mut self) {
        self.keeper.batch_execute("SELECT pg_advisory_unlock(1)").unwrap();
    }
}

/// A server on `database` with these settings.
fn server_on(kind: &Kind, database: &Database<'_>, settings: &[(&str, &str)]) -> Server {
    let setup = Server::setup(kind).on(database);
    settings.iter().fold(setup, |setup, (name, value)| setup.setting(name, value)).start()
}

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn named(id: u64, name: &str) -> String {
    format!(r#"{{"id":{id},"name":"{name}"}}"#)
}

/// A client that has asked for a row and not been answered.
fn asking(server: &Server, table: &str, key: &str) -> Client {
    let mut client = server.client();
    client.send(&["PGCACHE.READ", table, key]);
    client
}

fn await_waiting(client: &mut Client, count: u64) {
    eventually("clients wait", || (client.figure("waiting_clients") == count).then_some(()));
}

/// Lets this process and the servers that it starts have as many sockets as the machine allows.
fn allow_open_files(wanted: u64) {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain system calls on a struct of ours.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        assert!(limit.rlim_max >= wanted, "the hard limit of open files is only {}", limit.rlim_max);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit)
    };
    assert_eq!(raised, 0, "the limit of open files cannot be raised");
}

#[test]
fn ten_thousand_readers_of_a_cold_row_cost_one_statement() {
    const READERS: usize = 10_000;
    allow_open_files(READERS as u64 + 2_000);
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let server = Server::setup(&kind).on(&database).config("maxclients", "15000").start();
        let mut client = server.client();
        client.key("users", &user(7));
        let lock = Lock::on(&database, "users");
        let mut readers: Vec<Client> = (0..READERS).map(|_| asking(&server, "users", &user(7))).collect();
        await_waiting(&mut client, READERS as u64);
        lock.release();
        let expected = database.text("SELECT row_to_json(u)::text FROM users u WHERE id = 7").unwrap();
        for reader in &mut readers {
            assert_eq!(reader.receive().text(), expected);
        }
        assert_eq!(client.figure("statements"), 1);
        assert_eq!(client.figure("coalesced"), READERS as u64 - 1);
        await_waiting(&mut client, 0);
    });
}

#[test]
fn what_piles_up_while_the_connections_are_busy_goes_in_one_statement() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(USERS);
        database.execute("INSERT INTO users SELECT n, 'old' FROM generate_series(11, 100) n");
        let server = server_on(&kind, &database, &[("pool_size", "1")]);
        let mut client = server.client();
        client.key("users", &user(1));
        let lock = Lock::on(&database, "users");
        let mut readers: Vec<Client> = (1..=100).map(|id| asking(&server, "users", &user(id))).collect();
        await_waiting(&mut client, 100);
        lock.release();
        for (reader, id) in readers.iter_mut().zip(1..) {
            assert_eq!(reader.receive().text(), named(id, "old"));
        }
        assert!(client.figure("statements") <= 2, "{} statements", client.figure("statements"));
        assert_eq!(client.figure("keys_loaded"), 100);
    });
}

/// Rows 7 and 8 are being loaded when they change and `supersede` happens. Row 7 is asked for again, row 8 is not.
fn no_stale_fill_after(supersede: impl Fn(&mut Client)) {
    on_every_server(|kind| {
        let mut gated = Gated::users();
        let server = gated.server(&kind);
        let mut client = server.client();
        let keys = |client: &mut Client| [7, 8].map(|id| client.key("users", &user(id)));
        let [key7, key8] = keys(&mut client);
        gated.shut();
        let mut early7 = asking(&server, "users", &user(7));
        gated.await_arrivals(1);
        let mut early8 = asking(&server, "users", &user(8));
        gated.await_arrivals(2);
        gated.database.execute("UPDATE users SET name = 'new'");
        gated.let_others_pass();
        supersede(&mut client);
        let mut late = server.client();
        assert_eq!(late.read("users", &user(7)).text(), named(7, "new"), "asked after the change");
        gated.open();
        assert_eq!(early7.receive().text(), named(7, "new"), "what others have been shown");
        assert_eq!(early8.receive().text(), named(8, "old"), "asked before the change");
        // A swap gives the table another epoch, which is part of the key.
        let [new_key7, new_key8] = keys(&mut client);
        assert_eq!(client.call(&["GET", &new_key7]).text(), named(7, "new"));
        assert!(!client.exists(&new_key8) && !client.exists(&key8));
        assert!(new_key7 == key7 || !client.exists(&key7));
        assert_eq!(late.read("users", &user(8)).text(), named(8, "new"));
        assert!(client.figure("superseded") >= 2);
    });
}

fn invalidate_both(client: &mut Client) {
    for id in [7, 8] {
        assert_eq!(client.invalidate("users", &user(id)), Reply::Simple("OK".into()));
    }
}

fn set_and_delete_both(client: &mut Client) {
    for id in [7, 8] {
        let key = client.key("users", &user(id));
        client.call(&["SET", &key, "something"]);
        assert_eq!(client.call(&["DEL", &key]), Reply::Integer(1));
    }
}

#[test]
fn an_invalidation_keeps_the_old_row_out() {
    no_stale_fill_after(invalidate_both);
}

#[test]
fn flushall_keeps_the_old_row_out() {
    no_stale_fill_after(|client| {
        client.call(&["FLUSHALL"]);
    });
}

#[test]
fn flushall_async_keeps_the_old_row_out() {
    no_stale_fill_after(|client| {
        client.call(&["FLUSHALL", "ASYNC"]);
    });
}

#[test]
fn flushdb_keeps_the_old_row_out() {
    no_stale_fill_after(|client| {
        client.call(&["FLUSHDB"]);
    });
}

#[test]
fn swapdb_keeps_the_old_row_out() {
    no_stale_fill_after(|client| {
        client.call(&["SWAPDB", "0", "1"]);
    });
}

#[test]
fn deleting_the_entry_keeps_the_old_row_out() {
    no_stale_fill_after(set_and_delete_both);
}

#[test]
fn what_happens_after_an_invalidation_does_not_undo_it() {
    no_stale_fill_after(|client| {
        invalidate_both(client);
        set_and_delete_both(client);
        client.call(&["FLUSHALL"]);
        client.call(&["SWAPDB", "0", "1"]);
        client.call(&["SWAPDB", "0", "1"]);
    });
}

/// Two loads of one row are under way, the first superseded; what each reads it reads when the gate opens for it.
struct Racing {
    database: Database<'static>,
    keeper: postgres::Client,
}

impl Racing {
    /// Makes the view `versions`, whose rows are read after a gate: gate 1 for the first who come, 2 for others.
    fn new() -> Self {
        let database = Postgres::shared().database();
        database.execute(
            "CREATE TABLE users (id bigint PRIMARY KEY, version int); INSERT INTO users VALUES (7, 1);
             CREATE TABLE gate (number int); INSERT INTO gate VALUES (1);
             CREATE FUNCTION version_of(user_id bigint) RETURNS int VOLATILE LANGUAGE plpgsql AS $$
             DECLARE own int := (SELECT number FROM gate);
             BEGIN
                 PERFORM pg_advisory_lock_shared(own);
                 PERFORM pg_advisory_unlock_shared(own);
                 RETURN (SELECT version FROM users WHERE id = user_id);
             END $$;
             CREATE VIEW versions AS SELECT id, version_of(id) AS version FROM users",
        );
        let mut keeper = database.connect();
        keeper.batch_execute("SELECT pg_advisory_lock(1), pg_advisory_lock(2)").unwrap();
        Self { database, keeper }
    }

    fn await_arrivals(&mut self, gate: i64) {
        let sql = "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                   WHERE d.datname = current_database() AND locktype = 'advisory' AND objid::bigint = $1
                     AND NOT granted)";
        eventually("a statement stands at the gate", || {
            self.keeper.query_one(sql, &[&gate]).unwrap().get::<_, bool>(0).then_some(())
        });
    }

    fn open(&mut self, gate: i64) {
        self.keeper.execute("SELECT pg_advisory_unlock($1)", &[&gate]).unwrap();
    }

    /// Has a first load be superseded and a second one begin. Returns who waits for them.
    fn start(&mut self, server: &Server) -> (Client, Client) {
        let mut client = server.client();
        client.key("versions", &user(7));
        let early = asking(server, "versions", &user(7));
        self.await_arrivals(1);
        self.database.execute("UPDATE gate SET number = 2");
        client.invalidate("versions", &user(7));
        let late = asking(server, "versions", &user(7));
        self.await_arrivals(2);
        (early, late)
    }

    fn change(&self) {
        self.database.execute("UPDATE users SET version = version + 1");
    }
}

fn version(row: &Reply) -> i64 {
    row.json()["version"].as_i64().unwrap()
}

#[test]
fn a_superseded_load_that_reads_later_than_the_next_one_does_not_take_its_reader_ahead() {
    on_every_server(|kind| {
        let mut racing = Racing::new();
        let server = server_on(&kind, &racing.database, &[("invalidation", "off")]);
        let (mut early, mut late) = racing.start(&server);
        racing.open(2);
        assert_eq!(version(&late.receive()), 1);
        racing.change();
        racing.open(1);
        assert_eq!(version(&early.receive()), 1, "what is stored is what everybody sees");
        assert_eq!(version(&early.read("versions", &user(7))), 1);
    });
}

#[test]
fn who_waits_for_a_superseded_load_waits_for_the_next_one_too() {
    on_every_server(|kind| {
        let mut racing = Racing::new();
        let server = server_on(&kind, &racing.database, &[("invalidation", "off")]);
        let (mut early, mut late) = racing.start(&server);
        racing.open(1);
        let mut client = server.client();
        eventually("the first load is back", || (client.figure("flights") == 1).then_some(()));
        assert_eq!(client.figure("waiting_clients"), 2);
        racing.change();
        racing.open(2);
        for reader in [&mut early, &mut late] {
            assert_eq!(version(&reader.receive()), 2);
            assert_eq!(version(&reader.read("versions", &user(7))), 2);
        }
    });
}

#[test]
fn an_invalidation_of_another_row_lets_the_load_fill() {
    on_every_server(|kind| {
        let mut gated = Gated::users();
        let server = gated.server(&kind);
        let mut client = server.client();
        let key = client.key("users", &user(7));
        gated.shut();
        let mut reader = asking(&server, "users", &user(7));
        gated.await_arrivals(1);
        client.invalidate("users", &user(8));
        client.call(&["SELECT", "5"]);
        client.call(&["FLUSHDB"]);
        client.call(&["SELECT", "0"]);
        gated.open();
        assert_eq!(reader.receive().text(), named(7, "old"));
        assert_eq!(client.call(&["GET", &key]).text(), named(7, "old"));
        assert_eq!(client.figure("superseded"), 0);
    });
}

#[test]
fn a_write_while_the_row_is_loaded_stays() {
    on_every_server(|kind| {
        let mut gated = Gated::users();
        let server = gated.server(&kind);
        let mut client = server.client();
        let key = client.key("users", &user(7));
        gated.shut();
        let mut early = asking(&server, "users", &user(7));
        gated.await_arrivals(1);
        let written = named(7, "written");
        assert_eq!(client.call(&["PGCACHE.WRITE", "users", &user(7), &written]), Reply::Simple("OK".into()));
        assert_eq!(client.read("users", &user(7)).text(), written);
        gated.open();
        assert_eq!(early.receive().text(), written);
        assert_eq!(client.call(&["GET", &key]).text(), written);
    });
}

/// As [`no_stale_fill_after`], for a row that is asked for as `asked` and invalidated as `invalidated`.
fn no_stale_fill_of_spelling(tables: &str, asked: &str, invalidated: &str) {
    on_every_server(|kind| {
        let mut gated = Gated::with(tables, &["notes"]);
        let server = gated.server(&kind);
        let mut client = server.client();
        let key = client.key("notes", asked);
        client.call(&["FLUSHALL"]);
        gated.shut();
        let mut early = asking(&server, "notes", asked);
        gated.await_arrivals(1);
        gated.database.execute("UPDATE notes SET what = 'new'");
        gated.let_others_pass();
        assert_eq!(client.invalidate("notes", invalidated), Reply::Simple("OK".into()));
        assert_eq!(client.read("notes", asked).json()["what"], "new", "asked after the change");
        gated.open();
        assert_eq!(early.receive().json()["what"], "new", "what others have been shown");
        for spelling in [asked, invalidated] {
            assert_eq!(client.read("notes", spelling).json()["what"], "new");
            // The key of a table that was dropped as a whole has another epoch.
            assert!(client.key("notes", spelling).starts_with("pg_cache:notes"));
        }
        let stored = client.call(&["GET", &key]);
        assert!(stored == Reply::Nil || stored.json()["what"] == "new", "{stored:?}");
    });
}

const NOTES_BY_TIME: &str = "CREATE TABLE notes (at timestamptz PRIMARY KEY, what text);
    INSERT INTO notes VALUES ('2024-01-01T00:00:00Z', 'old');";

const NOTES_BY_NAME: &str = "CREATE EXTENSION citext; CREATE TABLE notes (name citext PRIMARY KEY, what text);
    INSERT INTO notes VALUES ('Ada', 'old');";

#[test]
fn an_invalidation_reaches_the_load_of_another_spelling_of_a_time() {
    no_stale_fill_of_spelling(
        NOTES_BY_TIME,
        r#"{"at":"2024-01-01 02:00:00+02"}"#,
        r#"{"at":"2024-01-01T00:00:00+00:00"}"#,
    );
}

#[test]
fn an_invalidation_by_a_second_spelling_reaches_the_load_of_a_first() {
    no_stale_fill_of_spelling(
        NOTES_BY_TIME,
        r#"{"at":"2024-01-01 02:00:00+02"}"#,
        r#"{"at":"2024-01-01 03:00:00+03"}"#,
    );
}

#[test]
fn an_invalidation_reaches_the_load_of_another_spelling_of_a_citext() {
    no_stale_fill_of_spelling(NOTES_BY_NAME, r#"{"name":"ADA"}"#, r#"{"name":"Ada"}"#);
    no_stale_fill_of_spelling(NOTES_BY_NAME, r#"{"name":"ADA"}"#, r#"{"name":"ada"}"#);
}

#[test]
fn an_invalidation_in_the_spelling_that_is_being_loaded_is_not_lost() {
    on_every_server(|kind| {
        for (tables, spelling) in
            [(NOTES_BY_TIME, r#"{"at":"2024-01-01 02:00:00+02"}"#), (NOTES_BY_NAME, r#"{"name":"ADA"}"#)]
        {
            let mut gated = Gated::with(tables, &["notes"]);
            let server = gated.server(&kind);
            server.client().key("notes", spelling);
            server.client().call(&["FLUSHALL"]);
            gated.shut();
            let mut early = asking(&server, "notes", spelling);
            gated.await_arrivals(1);
            gated.database.execute("UPDATE notes SET what = 'new'");
            gated.let_others_pass();
            let mut other = server.client();
            other.send(&["PGCACHE.INVALIDATE", "notes", spelling]);
            let mut client = server.client();
            eventually("it is at work", || (client.figure("invalidations") == 1).then_some(()));
            gated.open();
            assert_eq!(other.receive(), Reply::Simple("OK".into()));
            assert_eq!(other.read("notes", spelling).json()["what"], "new");
            // What it brings, or what others have been shown if they were quicker.
            let what = early.receive().json()["what"].clone();
            assert!(what == "old" || what == "new", "{what}");
            assert_eq!(other.read("notes", spelling).json()["what"], "new");
        }
    });
}

#[test]
fn a_multiread_joins_the_loads_of_reads() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(USERS);
        let server = server_on(&kind, &database, &[]);
        let mut client = server.client();
        client.key("users", &user(1));
        let lock = Lock::on(&database, "users");
        let mut reads: Vec<Client> = [1, 2].map(|id| asking(&server, "users", &user(id))).into();
        await_waiting(&mut client, 2);
        let mut several = server.client();
        several.send(&["PGCACHE.MULTIREAD", "users", r#"[{"id":1},{"id":3},{"id":2},{"id":1}]"#]);
        await_waiting(&mut client, 3);
        let mut last = asking(&server, "users", &user(3));
        await_waiting(&mut client, 4);
        assert_eq!(client.figure("flights"), 3);
        lock.release();
        let rows = [1, 3, 2, 1].map(|id| named(id, "old")).join(",");
        assert_eq!(several.receive().text(), format!("[{rows}]"));
        assert_eq!(reads[0].receive().text(), named(1, "old"));
        assert_eq!(reads[1].receive().text(), named(2, "old"));
        assert_eq!(last.receive().text(), named(3, "old"));
        assert_eq!(client.figure("keys_loaded"), 3);
    });
}

#[test]
fn a_load_that_takes_too_long_is_given_up_and_never_stored() {
    on_every_server(|kind| {
        let mut gated = Gated::users();
        let server = gated.server(&kind);
        let mut client = server.client();
        let key = client.key("users", &user(7));
        gated.shut();
        // Long enough for a worker to have sent the statement by then.
        client.set("load_timeout_ms", "5000");
        let began = std::time::Instant::now();
        let mut reader = asking(&server, "users", &user(7));
        gated.await_arrivals(1);
        assert_eq!(reader.receive().code(), "PGTIMEOUT");
        assert!(began.elapsed().as_millis() >= 5000, "given up after {:?}", began.elapsed());
        assert_eq!(client.figure("statements"), 0, "the load is still under way");
        assert_eq!((client.figure("flights"), client.figure("waiting_clients")), (0, 0));
        client.set("load_timeout_ms", FOREVER_MS);
        gated.open();
        eventually("the load comes back", || (client.figure("statements") == 1).then_some(()));
        assert!(!client.exists(&key));
        assert_eq!(client.figure("fills"), 0);
        assert_eq!(client.read("users", &user(7)).text(), named(7, "old"));
    });
}

#[test]
fn a_statement_that_takes_too_long_is_cancelled() {
    on_every_server(|kind| {
        let mut gated = Gated::users();
        let server = gated.server(&kind);
        let mut client = server.client();
        let key = client.key("users", &user(7));
        gated.shut();
        client.set("statement_timeout_ms", "200");
        let reply = client.read("users", &user(7));
        assert_eq!(reply.code(), "PGTIMEOUT");
        assert!(matches!(&reply, Reply::Error(text) if text.contains("statement_timeout_ms")), "{reply:?}");
        gated.await_arrivals(0);
        assert!(!client.exists(&key));
        client.set("statement_timeout_ms", FOREVER_MS);
        let mut reader = asking(&server, "users", &user(7));
        gated.await_arrivals(1);
        gated.open();
        assert_eq!(reader.receive().text(), named(7, "old"));
    });
}

#[test]
fn a_full_queue_sheds_and_the_others_are_answered() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(USERS);
        let server = server_on(&kind, &database, &[("pool_size", "1"), ("queue_limit", "3")]);
        let mut client = server.client();
        client.key("users", &user(1));
        let mut lock = Lock::on(&database, "users");
        let mut under_way = asking(&server, "users", &user(1));
        lock.await_arrivals(1);
        let mut queued: Vec<Client> = (2..=4).map(|id| asking(&server, "users", &user(id))).collect();
        await_waiting(&mut client, 4);
        assert_eq!(client.read("users", &user(5)).code(), "PGBUSY");
        assert_eq!(client.multiread("users", r#"[{"id":5},{"id":6}]"#).code(), "PGBUSY");
        // Who joins a load that is queued already needs no room.
        queued.push(asking(&server, "users", &user(2)));
        await_waiting(&mut client, 5);
        lock.release();
        assert_eq!(under_way.receive().text(), named(1, "old"));
        for (reader, id) in queued.iter_mut().zip([2, 3, 4, 2]) {
            assert_eq!(reader.receive().text(), named(id, "old"));
        }
        assert_eq!(client.read("users", &user(5)).text(), named(5, "old"));
    });
}

#[test]
fn too_many_waiters_are_shed_and_hits_go_on() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.execute(USERS);
        let server = server_on(&kind, &database, &[("max_waiters", "2")]);
        let mut client = server.client();
        assert_eq!(client.read("users", &user(10)).text(), named(10, "old"));
        let lock = Lock::on(&database, "users");
        let mut waiting: Vec<Client> = (1..=2).map(|id| asking(&server, "users", &user(id))).collect();
        await_waiting(&mut client, 2);
        assert_eq!(client.read("users", &user(1)).code(), "PGBUSY");
        assert_eq!(client.read("users", &user(3)).code(), "PGBUSY");
        assert_eq!(client.read("users", &user(10)).text(), named(10, "old"));
        client.call(&["CONFIG", "SET", "pgcache.max_waiters", "3"]);
        waiting.push(asking(&server, "users", &user(3)));
        await_waiting(&mut client, 3);
        lock.release();
        for (reader, id) in waiting.iter_mut().zip(1..) {
            assert_eq!(reader.receive().text(), named(id, "old"));
        }
    });
}

#[test]
fn a_slow_row_of_a_view_holds_up_nobody_else() {
    on_every_server(|kind| {
        let mut gated = Gated::with(USERS, &[]);
        gated.database.execute(
            "CREATE VIEW slow AS SELECT id, name, CASE WHEN id = 1 THEN pass_the_gate() END AS passed FROM users",
        );
        let server = server_on(&kind, &gated.database, &[("pool_size", "2")]);
        let mut client = server.client();
        client.key("slow", &user(1));
        gated.shut();
        let mut reader = asking(&server, "slow", &user(1));
        gated.await_arrivals(1);
        for id in 2..=5 {
            assert_eq!(client.read("slow", &user(id)).json()["id"], id);
        }
        assert_eq!(client.figure("waiting_clients"), 1);
        gated.open();
        assert_eq!(reader.receive().json()["passed"], true);
    });
}

#[test]
fn a_failed_load_fails_each_of_its_waiters_once_and_is_not_cached() {
    on_every_server(|kind| {
        let mut gated = Gated::users();
        let server = gated.server(&kind);
        let mut client = server.client();
        let key = client.key("users", &user(7));
        gated.shut();
        let mut readers: Vec<Client> = (0..50).map(|_| asking(&server, "users", &user(7))).collect();
        await_waiting(&mut client, 50);
        gated.await_arrivals(1);
        gated.database.execute("UPDATE gate SET fails = true");
        gated.open();
        for reader in &mut readers {
            let reply = reader.receive();
            assert!(matches!(&reply, Reply::Error(text) if text.starts_with("PGERR P0001 ")), "{reply:?}");
            assert_eq!(reader.call(&["PING"]), Reply::Simple("PONG".into()), "one error and no more");
        }
        assert_eq!((client.figure("statements"), client.figure("fills")), (1, 0));
        assert!(!client.exists(&key));
        gated.database.execute("UPDATE gate SET fails = false");
        assert_eq!(client.read("users", &user(7)).text(), named(7, "old"));
    });
}

#[test]
fn without_the_guard_the_old_row_is_put_back() {
    on_every_server(|kind| {
        for (unguarded, name) in [("no", "new"), ("yes", "old")] {
            let mut gated = Gated::users();
            let server = gated.server(&kind);
            let mut client = server.client();
            client.call(&["CONFIG", "SET", "pgcache.test_unguarded", unguarded]);
            gated.shut();
            let mut early = asking(&server, "users", &user(7));
            gated.await_arrivals(1);
            gated.database.execute("UPDATE users SET name = 'new'");
            gated.let_others_pass();
            client.invalidate("users", &user(7));
            gated.open();
            assert_eq!(early.receive().text(), named(7, "old"));
            assert_eq!(client.read("users", &user(7)).text(), named(7, name));
        }
    });
}

#[test]
fn a_load_can_be_made_to_dawdle_on_its_way_back() {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(10);
        let settings = [("test_hooks", "yes"), ("test_fill_delay_ms", "20000"), ("load_timeout_ms", "200")];
        let server = server_on(&kind, &database, &settings);
        let mut client = server.client();
        eventually("a load comes too late", || {
            client.invalidate("users", &user(1));
            (client.read("users", &user(1)).code() == "PGTIMEOUT").then_some(())
        });
    });
}
