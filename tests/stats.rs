//! Statistics agree with what was done.
#![allow(clippy::unwrap_used)]

mod support;

use support::{eventually, on_every_server, Client, Database, Lock, Postgres, Reply, Server};

fn user(id: u64) -> String {
    format!(r#"{{"id":{id}}}"#)
}

fn with_users(test: impl Fn(&Database<'_>, &Server, &mut Client)) {
    on_every_server(|kind| {
        let database = Postgres::shared().database();
        database.with_users(20);
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.key("users", &user(1));
        assert_eq!(client.call(&["PGCACHE.STATS", "RESET"]), Reply::Simple("OK".into()));
        test(&database, &server, &mut client);
    });
}

fn stats(client: &mut Client) -> Reply {
    client.call(&["PGCACHE.STATS"])
}

fn integer(reply: &Reply, field: &str) -> i64 {
    match reply.field(field) {
        Reply::Integer(number) => number,
        other => panic!("{field}: {other:?} in {reply:?}"),
    }
}

fn integers<const N: usize>(reply: &Reply, fields: [&str; N]) -> [i64; N] {
    fields.map(|field| integer(reply, field))
}

/// In RESP2 a double is its text.
fn double(reply: &Reply, field: &str) -> f64 {
    reply.field(field).text().parse().unwrap()
}

#[test]
fn totals_agree_with_what_was_done() {
    with_users(|_, _, client| {
        for _ in 0..3 {
            client.read("users", &user(1));
        }
        assert_eq!(client.read("users", &user(99)), Reply::Nil);
        assert_eq!(client.read("users", &user(99)), Reply::Nil);
        client.multiread("users", r#"[{"id":1},{"id":2},{"id":3},{"id":99}]"#);
        client.call(&["PGCACHE.WRITE", "users", &user(5), "{}"]);
        client.invalidate("users", &user(1));
        client.invalidate("users", &user(2));
        let told = stats(client);
        let fields = ["hits", "negative_hits", "misses", "keys_loaded", "fills", "writes", "invalidations"];
        assert_eq!(integers(&told, fields), [5, 2, 4, 4, 4, 1, 2]);
        assert_eq!((double(&told, "hit_ratio") * 9.0).round() as i64, 5);
        assert_eq!((double(&told, "keys_per_statement") * 3.0).round() as i64, 4);
        let table = client.call(&["PGCACHE.STATS", "TABLE", "users"]);
        let fields = ["hits", "negative_hits", "misses", "loads", "errors", "writes", "invalidations", "flushes"];
        assert_eq!(integers(&table, fields), [5, 2, 4, 4, 0, 1, 2, 0]);
        assert_eq!(integers(&told.field("busiest_tables").field("users"), fields), integers(&table, fields));
        for (command, calls) in [("READ", 5), ("pgcache.multiread", 1), ("Write", 1), ("invalidate", 2)] {
            let told = client.call(&["PGCACHE.STATS", "COMMAND", command]);
            assert_eq!(integers(&told, ["calls", "errors"]), [calls, 0], "{command}");
            let [p50, p95, p99, max] = integers(&told, ["p50_us", "p95_us", "p99_us", "max_us"]);
            assert!(p50 <= p95 && p95 <= p99 && p99 <= max, "{told:?}");
        }
    });
}

#[test]
fn readers_of_one_load_and_superseded_loads_are_counted() {
    with_users(|database, server, client| {
        let mut lock = Lock::on(database, "users");
        let mut readers: Vec<Client> = (0..5).map(|_| server.client()).collect();
        for reader in &mut readers {
            reader.send(&["PGCACHE.READ", "users", &user(1)]);
        }
        lock.await_arrivals(1);
        eventually("all wait", || (client.figure("waiting_clients") == 5).then_some(()));
        client.invalidate("users", &user(1));
        lock.release();
        for reader in &mut readers {
            reader.receive();
        }
        let told = stats(client);
        assert_eq!(integers(&told, ["misses", "coalesced", "superseded", "fills"]), [5, 4, 1, 0]);
        let latency = told.field("latency_us");
        assert_eq!(integer(&latency.field("postgres"), "count"), 5);
        assert!(integer(&latency.field("postgres"), "p50_us") > 0);
        let commands = told.field("commands");
        let calls = ["pgcache.read", "pgcache.invalidate", "pgcache.stats"];
        let calls = calls.map(|command| integer(&commands.field(command), "calls"));
        assert_eq!(integer(&latency.field("command"), "count"), calls.iter().sum::<i64>());
        let slowest = integer(&commands.field("pgcache.read"), "max_us");
        assert_eq!(integer(&latency.field("command"), "max_us"), slowest);
    });
}

#[test]
fn errors_are_counted_by_code_and_by_command() {
    with_users(|_, _, client| {
        for (key, code) in [("x", "ERR"), ("x", "ERR"), (r#"{"id":"x"}"#, "PGBADVALUE"), (r#"{"no":1}"#, "PGNOCOLUMN")]
        {
            assert_eq!(client.read("users", key).code(), code);
        }
        assert_eq!(client.read("nothing", "{}").code(), "PGNOTABLE");
        let table = client.call(&["PGCACHE.STATS", "TABLE", "users"]);
        assert_eq!(integer(&table, "errors"), 4, "refused commands count for their table");
        let told = stats(client);
        let by_code = told.field("errors_by_code");
        let codes = ["ERR", "PGBADVALUE", "PGNOCOLUMN", "PGNOTABLE"];
        assert_eq!(integers(&by_code, codes), [2, 1, 1, 1]);
        assert_eq!(integers(&told.field("commands").field("pgcache.read"), ["calls", "errors"]), [5, 5]);
    });
}

#[test]
fn the_rate_is_of_whole_seconds() {
    with_users(|_, _, client| {
        eventually("a second has passed", || {
            for _ in 0..20 {
                client.read("users", &user(1));
            }
            let told = stats(client);
            (integer(&told, "commands_last_second") > 0 && double(&told, "commands_per_second_last_minute") > 0.0)
                .then_some(())
        });
    });
}

#[test]
fn a_reset_begins_anew_and_what_is_unknown_is_said_to_be() {
    with_users(|_, _, client| {
        client.read("users", &user(1));
        client.call(&["PGCACHE.FLUSH", "TABLE", "users"]);
        assert_eq!(integer(&client.call(&["PGCACHE.STATS", "TABLE", "users"]), "flushes"), 1);
        client.call(&["PGCACHE.STATS", "RESET"]);
        assert_eq!(client.figure("misses"), 0);
        for bad in [
            &["TABLE", "users"][..],
            &["TABLE", "nothing"],
            &["TABLE"],
            &["COMMAND", "nothing"],
            &["COMMAND"],
            &["RESET", "x"],
            &["NO"],
        ] {
            let call: Vec<&str> = std::iter::once("PGCACHE.STATS").chain(bad.iter().copied()).collect();
            assert_eq!(client.call(&call).code(), "ERR", "{bad:?}");
        }
        let Reply::Array(help) = client.call(&["PGCACHE.STATS", "HELP"]) else { panic!("no list") };
        assert_eq!(help[0].text(), "PGCACHE.STATS");
    });
}

#[test]
fn tables_are_found_under_any_name_they_are_called_by() {
    with_users(|database, _, client| {
        database.execute("CREATE SCHEMA app; CREATE TABLE app.users (LIKE users INCLUDING ALL)");
        client.read("app.users", &user(1));
        client.read("users", &user(1));
        for (name, misses) in [("users", 1), ("app.users", 1)] {
            assert_eq!(integer(&client.call(&["PGCACHE.STATS", "TABLE", name]), "misses"), misses, "{name}");
        }
        client.read("public.users", &user(1));
        assert_eq!(integer(&client.call(&["PGCACHE.STATS", "TABLE", "public.users"]), "hits"), 1);
    });
}

/// The fields of one line of INFO: `pgcache_x:a=1,b=2`.
fn line(client: &mut Client, section: &str, name: &str) -> Vec<(String, String)> {
    let line = client.info(&format!("pgcache_{section}"), &format!("pgcache_{name}"));
    line.split(',').map(|pair| pair.split_once('=').unwrap()).map(|(a, b)| (a.into(), b.into())).collect()
}

fn of<'f>(fields: &'f [(String, String)], name: &str) -> &'f str {
    &fields.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("no {name} in {fields:?}")).1
}

#[test]
fn info_tells_the_same_section_by_section() {
    with_users(|database, _, client| {
        database.execute(r#"CREATE TABLE "a,b=c" (id int PRIMARY KEY)"#);
        client.read("users", &user(1));
        client.read("users", &user(1));
        client.read(r#""a,b=c""#, &user(1));
        assert_eq!(client.info("pgcache_server", "pgcache_version"), env!("CARGO_PKG_VERSION"));
        let read = line(client, "commands", "pgcache_read");
        assert_eq!((of(&read, "calls"), of(&read, "errors")), ("3", "0"));
        assert!(of(&read, "p50").parse::<u64>().unwrap() <= of(&read, "max").parse::<u64>().unwrap());
        let postgres = line(client, "commands", "time_postgres");
        assert_eq!(of(&postgres, "count"), "2");
        let users = line(client, "tables", "table_users");
        assert_eq!((of(&users, "hits"), of(&users, "misses"), of(&users, "loads")), ("1", "1", "1"));
        assert_eq!(of(&line(client, "tables", "table__a_b_c_"), "negative_hits"), "0");
        let source = line(client, "sources", "source_default");
        assert_eq!((of(&source, "status"), of(&source, "queued")), ("up", "0"));
        let pool = line(client, "pool", "source_default");
        let number = |name| of(&pool, name).parse::<u64>().unwrap();
        assert_eq!((number("idle") + number("in_use"), number("waiting")), (number("connections"), 0));
        let freshness = line(client, "freshness", "source_default");
        assert_eq!((of(&freshness, "invalidation"), of(&freshness, "watched")), ("notify", "0"));
    });
}

/// What STATS tells of `table`, once it has so many entries.
fn counted(client: &mut Client, table: &str, entries: i64) -> Reply {
    eventually(&format!("{table} has {entries} entries"), || {
        let told = client.call(&["PGCACHE.STATS", "TABLE", table]);
        (integer(&told, "entries") == entries).then_some(told)
    })
}

#[test]
fn entries_and_their_bytes_are_counted_whatever_made_or_ended_them() {
    with_users(|_, _, client| {
        client.multiread("users", r#"[{"id":1},{"id":2},{"id":3},{"id":4},{"id":99}]"#);
        client.call(&["SET", "somebody", "else"]);
        let told = counted(client, "users", 5);
        let sizes = (1..=4).chain([99]).map(|id| {
            let key = client.key("users", &user(id));
            let Reply::Integer(len) = client.call(&["STRLEN", &key]) else { panic!("no length") };
            key.len() as i64 + len
        });
        assert_eq!(integer(&told, "bytes"), sizes.sum::<i64>());
        let all = stats(client);
        assert_eq!(integers(&all, ["entries", "entries_are_estimated", "outdated_entries"]), [5, 0, 0]);
        assert_eq!(integer(&all, "bytes"), integer(&told, "bytes"));
        assert_eq!(of(&line(client, "tables", "table_users"), "entries"), "5");
        client.invalidate("users", &user(1));
        counted(client, "users", 4);
        let key = client.key("users", &user(2));
        client.call(&["DEL", &key]);
        let key = client.key("users", &user(3));
        client.call(&["PEXPIRE", &key, "1"]);
        counted(client, "users", 2);
        client.call(&["PGCACHE.FLUSH", "TABLE", "users"]);
        counted(client, "users", 0);
        client.multiread("users", r#"[{"id":1},{"id":2}]"#);
        counted(client, "users", 2);
        client.call(&["FLUSHALL"]);
        counted(client, "users", 0);
    });
}

#[test]
fn many_entries_are_estimated_from_a_sample() {
    with_users(|_, _, client| {
        client.read("users", &user(1));
        let fill = "for i = 1, 40000 do redis.call('SET', KEYS[1] .. i, 'x') end";
        let prefix = client.key("users", &user(1)).replace("{\"id\":1}", "{\"id\":");
        client.call(&["EVAL", fill, "1", &prefix]);
        client.call(&["EVAL", fill, "1", "others:"]);
        let told = eventually("a sample of the keys was seen", || {
            let told = stats(client);
            (integer(&told, "entries_are_estimated") == 1).then_some(told)
        });
        let entries = integer(&told, "entries");
        assert!((36_000..=44_000).contains(&entries), "{entries} of 40001");
        client.call(&["FLUSHALL"]);
        eventually("few keys are counted one by one again", || {
            let told = stats(client);
            (integers(&told, ["entries", "entries_are_estimated"]) == [0, 0]).then_some(())
        });
    });
}

#[test]
fn each_named_query_has_figures_of_its_own() {
    with_users(|_, _, client| {
        for (name, sql) in [("one", "SELECT 1 AS n"), ("two", "SELECT $1::int AS n"), ("bad", "SELECT 1/$1::int")] {
            client.call(&["PGCACHE.DEFINE", name, sql]);
        }
        for _ in 0..3 {
            client.call(&["PGCACHE.QUERY", "NAME", "one"]);
        }
        client.call(&["PGCACHE.QUERY", "NAME", "two", "[1]"]);
        client.call(&["PGCACHE.QUERY", "NAME", "two", "[2]"]);
        assert_eq!(client.call(&["PGCACHE.QUERY", "NAME", "bad", "[0]"]).code(), "PGERR");
        let fields = ["hits", "misses", "loads", "errors"];
        for (name, figures) in [("one", [2, 1, 1, 0]), ("two", [0, 2, 2, 0]), ("bad", [0, 1, 0, 1])] {
            let told = client.call(&["PGCACHE.STATS", "QUERY", name]);
            assert_eq!(integers(&told, fields), figures, "{name}");
            let told = told.field("postgres_us");
            let [count, p50, max] = integers(&told, ["count", "p50_us", "max_us"]);
            assert!(count == figures[2] && p50 <= max && (max > 0) == (count > 0), "{name}: {told:?}");
        }
        eventually("results are counted", || {
            let told = client.call(&["PGCACHE.STATS", "QUERY", "two"]);
            (integer(&told, "entries") == 2 && integer(&told, "bytes") > 0).then_some(())
        });
        let told = stats(client).field("busiest_queries");
        assert_eq!(integers(&told.field("one"), fields), [2, 1, 1, 0]);
        assert_eq!(of(&line(client, "queries", "query_two"), "misses"), "2");
        assert_eq!(client.call(&["PGCACHE.STATS", "QUERY", "nothing"]).code(), "ERR");
    });
}

#[test]
fn the_keys_that_are_hit_most_are_told_to_whoever_asks() {
    with_users(|_, _, client| {
        client.multiread("users", r#"[{"id":1},{"id":2},{"id":3}]"#);
        client.call(&["PGCACHE.DEFINE", "one", "SELECT 1 AS n"]);
        client.call(&["PGCACHE.QUERY", "NAME", "one"]);
        let keys = |client: &mut Client, words: &[&str]| {
            let call: Vec<&str> = ["PGCACHE.STATS", "KEYS"].iter().chain(words).copied().collect();
            client.call(&call)
        };
        assert_eq!(keys(client, &[]).field("keys"), Reply::Array(vec![]), "nobody has asked before");
        let told = eventually("every hit is sampled", || {
            for id in [1, 1, 2, 1, 1, 3, 1] {
                client.read("users", &user(id));
            }
            client.call(&["PGCACHE.QUERY", "NAME", "one"]);
            let told = keys(client, &["2"]);
            (integer(&told, "hits") >= 400).then_some(told)
        });
        let Reply::Array(top) = told.field("keys") else { panic!("{told:?}") };
        assert_eq!((top.len(), top[0].field("table").text(), top[0].field("key").text()), (2, "users".into(), user(1)));
        let share = double(&top[0], "share");
        assert!((0.4..0.8).contains(&share), "5 of 8 hits: {told:?}");
        let Reply::Array(all) = keys(client, &["TABLE", "users"]).field("keys") else { panic!("no list") };
        let mut names: Vec<String> = all.iter().map(|key| key.field("key").text()).collect();
        names.sort_unstable();
        assert_eq!(names, [user(1), user(2), user(3)]);
        let Reply::Array(all) = keys(client, &[]).field("keys") else { panic!("no list") };
        let is_query = |key: &Reply| matches!(key, Reply::Array(pairs) if pairs[0].text() == "query");
        assert!(all.iter().any(|key| is_query(key) && key.field("query").text() == "one"), "{all:?}");
        for bad in [&["0"][..], &["501"], &["x"], &["TABLE"], &["TABLE", "users", "x"], &["TABLE", "users", "1", "2"]] {
            assert_eq!(keys(client, bad).code(), "ERR", "{bad:?}");
        }
    });
}
