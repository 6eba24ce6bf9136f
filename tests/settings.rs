//! Settings: arguments, environment, the server's configuration, and changes at run time.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use support::{eventually, on_every_server, Client, Database, Kind, Lock, Postgres, Reply, Server, FOREVER_MS};

const ONE: &str = r#"{"id":1}"#;
const KEY_ONE: &str = r#"pg_cache:users:{"id":1}"#;

fn users() -> Database<'static> {
    let database = Postgres::shared().database();
    database.with_users(20);
    database
}

/// Every setting that the server shows, with its value.
fn shown(client: &mut Client) -> BTreeMap<String, String> {
    let flat = match client.call(&["CONFIG", "GET", "pgcache.*"]) {
        Reply::Array(flat) => flat,
        other => panic!("{other:?}"),
    };
    flat.chunks(2).map(|pair| (pair[0].text(), pair[1].text())).collect()
}

fn get(client: &mut Client, name: &str) -> String {
    client.call(&["CONFIG", "GET", &format!("pgcache.{name}")]).field(&format!("pgcache.{name}")).text()
}

fn set(client: &mut Client, name: &str, value: &str) -> Reply {
    client.call(&["CONFIG", "SET", &format!("pgcache.{name}"), value])
}

fn must_set(client: &mut Client, name: &str, value: &str) {
    assert_eq!(set(client, name, value), Reply::Simple("OK".into()), "{name} {value}");
    assert_eq!(get(client, name), value);
}

fn ttl(client: &mut Client, key: &str) -> i64 {
    match client.call(&["TTL", key]) {
        Reply::Integer(ttl) => ttl,
        other => panic!("{other:?}"),
    }
}

/// Every setting that can be shown: name, default, and another value if it may change.
const SETTINGS: [(&str, &str, Option<&str>); 43] = [
    ("pg_host", "localhost", None),
    ("pg_port", "5432", None),
    ("pg_database", "postgres", None),
    ("pg_user", "postgres", None),
    ("pg_password_file", "", None),
    ("pg_sslmode", "prefer", None),
    ("pg_sslrootcert", "", None),
    ("pg_sslcert", "", None),
    ("pg_sslkey", "", None),
    ("pg_options", "", None),
    ("pool_size", "8", None),
    ("connect_timeout_ms", "2000", None),
    ("invalidation", "notify", None),
    ("pg_replication_user", "", None),
    ("pg_replication_password_file", "", None),
    ("wal_slot", "", None),
    ("wal_keep_limit_mb", "1024", None),
    ("allow_tables", "", None),
    ("default_ttl", "3600", Some("0")),
    ("cache_prefix", "pg_cache:", None),
    ("statement_timeout_ms", "2000", Some("1")),
    ("load_timeout_ms", "5000", Some("86400000")),
    ("queue_limit", "4096", Some("1")),
    ("max_waiters", "16384", Some("10000000")),
    ("batch_max", "128", Some("1")),
    ("negative_ttl", "10", Some("0")),
    ("ttl_jitter_percent", "0", Some("100")),
    ("max_entry_bytes", "4194304", Some("1")),
    ("max_multiread_keys", "10000", Some("1")),
    ("max_multiread_bytes", "67108864", Some("1")),
    ("query", "named", None),
    ("max_query_rows", "10000", Some("1")),
    ("grace", "0", Some("60")),
    ("refresh_ahead_percent", "0", Some("99")),
    ("on_gap", "bypass", Some("serve")),
    ("max_staleness_ms", "2000", Some("100")),
    ("slowlog_log_slower_than", "10000", Some("-1")),
    ("slowlog_max_len", "128", Some("0")),
    ("disabled_plugins", "none", Some("stats,hooks")),
    ("events", "cache_hit,cache_miss,cache_write,cache_invalidate", Some("none")),
    ("http_port", "0", None),
    ("http_bind", "127.0.0.1", None),
    ("definitions_key_file", "", None),
];

#[test]
fn every_setting_is_shown_with_its_default_and_no_other_is() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).start();
        let expected: BTreeMap<String, String> =
            SETTINGS.iter().map(|(name, default, _)| (format!("pgcache.{name}"), (*default).into())).collect();
        assert_eq!(shown(&mut server.client()), expected);
    });
}

#[test]
fn run_time_settings_change_and_the_others_do_not() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).start();
        let mut client = server.client();
        for (name, default, other) in SETTINGS {
            match other {
                Some(other) => {
                    must_set(&mut client, name, other);
                    must_set(&mut client, name, default);
                }
                None => {
                    let refusal = set(&mut client, name, default);
                    assert!(matches!(&refusal, Reply::Error(text) if text.contains("immutable")), "{name} {refusal:?}");
                }
            }
        }
    });
}

#[test]
fn bad_values_are_refused_and_change_nothing() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).start();
        let mut client = server.client();
        let before = shown(&mut client);
        for (name, value) in [
            ("default_ttl", "-1"),
            ("default_ttl", "2147483648"),
            ("default_ttl", "soon"),
            ("default_ttl", ""),
            ("default_ttl", "99999999999999999999"),
            ("ttl_jitter_percent", "101"),
            ("batch_max", "0"),
            ("batch_max", "1.5"),
            ("statement_timeout_ms", "0"),
            ("load_timeout_ms", "86400001"),
            ("max_entry_bytes", "536870913"),
            ("events", "cache_hit,nothing"),
            ("events", "cache_hit\0"),
            ("events", "\u{1}"),
            ("nothing", "1"),
            ("pg_password", "x"),
            ("test_hooks", "yes"),
        ] {
            assert_eq!(set(&mut client, name, value).code(), "ERR", "{name} {value:?}");
        }
        let not_text = client.call(&[&b"CONFIG"[..], b"SET", b"pgcache.events", b"\xff\xfe"]);
        assert_eq!(not_text.code(), "ERR");
        assert_eq!(shown(&mut client), before);
        let refusal = set(&mut client, "events", "nothing");
        assert!(matches!(&refusal, Reply::Error(text) if text.contains("must be all, none")), "{refusal:?}");
    });
}

#[test]
fn several_changes_are_made_together_or_not_at_all() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).start();
        let mut client = server.client();
        let both = |ttl, events| ["CONFIG", "SET", "pgcache.default_ttl", ttl, "pgcache.events", events];
        assert_eq!(client.call(&both("5", "all")).text(), "OK");
        assert_eq!((get(&mut client, "default_ttl").as_str(), get(&mut client, "events").as_str()), ("5", "all"));
        assert_eq!(client.call(&both("6", "nothing")).code(), "ERR");
        assert_eq!((get(&mut client, "default_ttl").as_str(), get(&mut client, "events").as_str()), ("5", "all"));
    });
}

#[test]
fn arguments_win_over_the_environment_which_wins_over_the_default() {
    on_every_server(|kind| {
        let server = Server::setup(&kind)
            .setting("default_ttl", "7")
            .setting("pg_host", "from.arguments")
            .env("PGCACHE_DEFAULT_TTL", "8")
            .env("PGCACHE_PG_HOST", "from.environment")
            .env("PGCACHE_PG_USER", "reader")
            .env("PGCACHE_BATCH_MAX", "9")
            .start();
        let mut client = server.client();
        for (name, value) in [
            ("default_ttl", "7"),
            ("pg_host", "from.arguments"),
            ("pg_user", "reader"),
            ("batch_max", "9"),
            ("pool_size", "8"),
        ] {
            assert_eq!(get(&mut client, name), value, "{name}");
        }
    });
}

#[test]
fn the_whole_source_can_come_from_the_environment() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::setup(&kind)
            .env("PGCACHE_PG_HOST", "127.0.0.1")
            .env("PGCACHE_PG_PORT", database.postgres.port().to_string())
            .env("PGCACHE_PG_DATABASE", &database.name)
            .env("PGCACHE_CONNECT_TIMEOUT_MS", FOREVER_MS)
            .env("PGCACHE_STATEMENT_TIMEOUT_MS", FOREVER_MS)
            .env("PGCACHE_LOAD_TIMEOUT_MS", FOREVER_MS)
            .start();
        assert_eq!(server.client().read("users", ONE).json()["id"], 1);
    });
}

#[test]
fn lines_of_the_servers_configuration_file_count() {
    on_every_server(|kind| {
        let server = Server::setup(&kind)
            .on(&users())
            .line("pgcache.default_ttl 5000")
            .line("pgcache.events none")
            .line("pgcache.cache_prefix rows:")
            .start();
        let mut client = server.client();
        assert_eq!(get(&mut client, "default_ttl"), "5000");
        assert_eq!(get(&mut client, "events"), "none");
        client.read("users", ONE);
        assert!((4_000..=5_000).contains(&ttl(&mut client, r#"rows:users:{"id":1}"#)));
    });
}

#[test]
fn a_line_of_the_configuration_file_may_name_the_source() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::setup(&kind)
            .line("pgcache.pg_host 127.0.0.1")
            .line(&format!("pgcache.pg_port {}", database.postgres.port()))
            .line(&format!("pgcache.pg_database {}", database.name))
            .line(&format!("pgcache.connect_timeout_ms {FOREVER_MS}"))
            .line(&format!("pgcache.statement_timeout_ms {FOREVER_MS}"))
            .line(&format!("pgcache.load_timeout_ms {FOREVER_MS}"))
            .start();
        let mut client = server.client();
        assert_eq!(get(&mut client, "pg_database"), database.name);
        assert_eq!(client.read("users", ONE).json()["id"], 1);
    });
}

#[test]
fn a_line_of_the_configuration_file_wins_over_arguments_and_environment() {
    on_every_server(|kind| {
        let server = Server::setup(&kind)
            .setting("default_ttl", "7")
            .env("PGCACHE_BATCH_MAX", "9")
            .line("pgcache.default_ttl 5")
            .line("pgcache.batch_max 6")
            .start();
        let mut client = server.client();
        assert_eq!((get(&mut client, "default_ttl").as_str(), get(&mut client, "batch_max").as_str()), ("5", "6"));
    });
}

#[test]
fn settings_that_need_each_other_may_stand_on_two_lines() {
    on_every_server(|kind| {
        let server = Server::setup(&kind)
            .setting("pg_sslmode", "disable")
            .line("pgcache.pg_sslcert /client.pem")
            .line("pgcache.pg_sslkey /client.key")
            .start();
        assert_eq!(get(&mut server.client(), "pg_sslkey"), "/client.key");
    });
}

#[test]
fn a_bad_line_of_the_configuration_file_stops_the_server() {
    on_every_server(|kind| {
        for line in ["pgcache.default_ttl soon", "pgcache.default_ttl -1", "pgcache.events nothing"] {
            let log = Server::setup(&kind).line(line).refused();
            let name = line.split(' ').next().unwrap();
            assert!(log.contains(name), "{line}: {log}");
        }
        let log = Server::setup(&kind).line("pgcache.pol_size 1").refused();
        assert!(log.contains("not loaded: unknown setting \"pol_size\": did you mean pool_size?"), "{log}");
    });
}

#[test]
fn lines_of_the_configuration_file_may_be_about_a_further_source() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::setup(&kind)
            .line("pgcache.analytics_pg_host 127.0.0.1")
            .line(&format!("pgcache.analytics_pg_port {}", database.postgres.port()))
            .line(&format!("PGCACHE.Analytics_pg_database {}", database.name))
            .line(&format!("pgcache.analytics_connect_timeout_ms {FOREVER_MS}"))
            .line(&format!("pgcache.statement_timeout_ms {FOREVER_MS}"))
            .line(&format!("pgcache.load_timeout_ms {FOREVER_MS}"))
            .start();
        let mut client = server.client();
        assert_eq!(client.read("analytics:users", ONE).json()["id"], 1);
        assert_eq!(get(&mut client, "analytics_pg_database"), database.name);
        assert_eq!(
            (get(&mut client, "pg_database").as_str(), get(&mut client, "pool_size").as_str()),
            ("postgres", "8")
        );
        assert_eq!(client.call(&["CONFIG", "REWRITE"]).text(), "OK");
        let file = fs::read_to_string(server.folder().join("server.conf")).unwrap();
        assert!(file.contains(&format!("pgcache.analytics_pg_database \"{}\"", database.name)), "{file}");
        assert_eq!(file.matches("analytics_").count(), 4, "{file}");
    });
}

#[test]
fn a_line_of_the_configuration_file_wins_over_the_arguments_of_a_further_source() {
    on_every_server(|kind| {
        let server = Server::setup(&kind)
            .setting("analytics.pg_host", "from.arguments")
            .setting("analytics.pool_size", "3")
            .line("pgcache.analytics_pg_host from.file")
            .start();
        let mut client = server.client();
        assert_eq!(get(&mut client, "analytics_pg_host"), "from.file");
        assert_eq!(get(&mut client, "analytics_pool_size"), "3");
    });
}

#[test]
fn a_second_dot_in_the_configuration_file_stops_the_server_with_the_right_spelling() {
    on_every_server(|kind| {
        let log = Server::setup(&kind).line("pgcache.analytics.pg_host db2").refused();
        assert!(log.contains("not loaded: pgcache.analytics.pg_host:"), "{log}");
        assert!(log.contains("write pgcache.analytics_pg_host"), "{log}");
    });
}

#[test]
fn a_password_in_the_configuration_file_stops_the_server_and_is_never_shown() {
    on_every_server(|kind| {
        for name in ["pg_password", "analytics_pg_password"] {
            let log = Server::setup(&kind).line(&format!("pgcache.{name} open-sesame")).refused();
            assert!(log.contains(&format!("name that in pgcache.{name}_file")), "{log}");
            assert!(!log.contains("open-sesame"), "{log}");
        }
        let server = Server::setup(&kind).env("PGCACHE_PG_PASSWORD", "open-sesame").start();
        let mut client = server.client();
        let refusal = set(&mut client, "pg_password", "hunter2");
        assert!(matches!(&refusal, Reply::Error(text) if !text.contains("hunter2")), "{refusal:?}");
        for pattern in ["pgcache.pg_password", "*password", "*"] {
            let shown = format!("{:?}", client.call(&["CONFIG", "GET", pattern]));
            assert!(!shown.contains("open-sesame"), "{shown}");
        }
    });
}

/// A server without the module that may load it later.
fn bare(kind: &Kind) -> Server {
    Server::setup(kind).without_module().config("enable-module-command", "yes").start()
}

fn module() -> String {
    std::env::var("PGCACHE_MODULE").unwrap_or_else(|_| {
        let target =
            std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/target").into());
        format!("{target}/release/libpgcache.so")
    })
}

#[test]
fn the_module_can_be_loaded_into_a_running_server() {
    on_every_server(|kind| {
        let database = users();
        let server = bare(&kind);
        let mut client = server.client();
        let port = database.postgres.port().to_string();
        let loaded = client.call(&[
            "MODULE",
            "LOADEX",
            &module(),
            "CONFIG",
            "pgcache.default_ttl",
            "33000",
            "CONFIG",
            "pgcache.negative_ttl",
            "3",
            "ARGS",
            "pg_host",
            "127.0.0.1",
            "pg_port",
            &port,
            "pg_database",
            &database.name,
            "connect_timeout_ms",
            FOREVER_MS,
            "statement_timeout_ms",
            FOREVER_MS,
            "load_timeout_ms",
            FOREVER_MS,
        ]);
        assert_eq!(loaded.text(), "OK", "{}", server.log());
        assert_eq!(
            (get(&mut client, "default_ttl").as_str(), get(&mut client, "negative_ttl").as_str()),
            ("33000", "3")
        );
        client.read("users", ONE);
        assert!((32_000..=33_000).contains(&ttl(&mut client, KEY_ONE)));
        let mut server = server;
        server.assert_alive();
    });
}

#[test]
fn a_refused_load_leaves_a_running_server_as_it_was() {
    on_every_server(|kind| {
        let mut server = bare(&kind);
        let mut client = server.client();
        for words in [
            &["CONFIG", "pgcache.default_ttl", "soon"][..],
            &["CONFIG", "pgcache.nothing", "1"],
            &["CONFIG", "pgcache.events", "nothing"],
            &["CONFIG", "pgcache.pg_password", "x"],
            &["CONFIG", "pgcache.analytics_pg_host", "x"],
            &["ARGS", "nothing", "1"],
            &["ARGS", "default_ttl"],
            &["ARGS", "pg_port", "0"],
        ] {
            let module = module();
            let command = [&["MODULE", "LOADEX", module.as_str()], words].concat();
            assert_eq!(client.call(&command).code(), "ERR", "{words:?}");
            assert_eq!(client.call(&["MODULE", "LIST"]), bare_modules(&kind), "{words:?}");
            assert!(matches!(client.call(&["PGCACHE.HEALTH"]), Reply::Error(_)), "{words:?}");
            server.assert_alive();
        }
        assert_eq!(client.call(&["MODULE", "LOADEX", &module()]).text(), "OK", "{}", server.log());
        assert_eq!(get(&mut client, "default_ttl"), "3600");
    });
}

/// What MODULE LIST says where nobody loaded anything.
fn bare_modules(kind: &Kind) -> Reply {
    bare(kind).client().call(&["MODULE", "LIST"])
}

#[test]
fn bad_arguments_stop_the_load_with_a_line_that_names_them() {
    on_every_server(|kind| {
        for (name, value) in [
            ("nothing", "1"),
            ("pg_hots", "db1"),
            ("default_ttl", "soon"),
            ("default_ttl", "-1"),
            ("pg_port", "65536"),
            ("pg_sslmode", "allow"),
            ("pool_size", "0"),
            ("events", "cache_hits"),
            ("http_port", "-1"),
            ("http_bind", "localhost"),
            ("cache_prefix", ""),
            ("cache_prefix", "a{b}"),
            ("analytics.default_ttl", "5"),
            ("analytics.nothing", "5"),
            ("Analytics.pg_host", "db2"),
        ] {
            let log = Server::setup(&kind).setting(name, value).refused();
            let setting = name.rsplit('.').next().unwrap();
            let named = log.lines().any(|line| line.contains("not loaded") && line.contains(setting));
            assert!(named, "{name} {value}: {log}");
        }
    });
}

#[test]
fn a_server_without_the_commands_that_write_entries_stops_the_load() {
    on_every_server(|kind| {
        for command in ["SET", "UNLINK"] {
            let log = Server::setup(&kind).line(&format!("rename-command {command} \"\"")).refused();
            assert!(log.contains(&format!("not loaded: this server has no command {command}")), "{log}");
        }
        // The module does without those that are often taken away.
        let setup = Server::setup(&kind).line("rename-command CONFIG \"\"").line("rename-command FLUSHALL \"\"");
        setup.start().assert_alive();
    });
}

#[test]
fn an_argument_without_a_value_stops_the_load() {
    on_every_server(|kind| {
        let line = format!("loadmodule {} pg_host db1 default_ttl", module());
        let log = Server::setup(&kind).without_module().line(&line).refused();
        assert!(log.contains("default_ttl has no value"), "{log}");
    });
}

#[test]
fn a_setting_that_stands_twice_among_the_arguments_stops_the_load() {
    on_every_server(|kind| {
        let line = format!("loadmodule {} pg_host db1 default_ttl 5 pg_host db1", module());
        let log = Server::setup(&kind).without_module().line(&line).refused();
        assert!(log.contains("not loaded: pg_host is given twice"), "{log}");
    });
}

#[test]
fn settings_that_exclude_each_other_stop_the_load() {
    on_every_server(|kind| {
        let log =
            Server::setup(&kind).setting("pg_password", "open-sesame").setting("pg_password_file", "/x").refused();
        assert!(log.contains("pg_password and pg_password_file exclude each other"), "{log}");
        assert!(!log.contains("open-sesame"), "{log}");
        let log = Server::setup(&kind).setting("pg_sslcert", "/x").refused();
        assert!(log.contains("pg_sslcert and pg_sslkey need each other"), "{log}");
    });
}

#[test]
fn a_bad_value_in_the_environment_stops_the_load() {
    on_every_server(|kind| {
        let log = Server::setup(&kind).env("PGCACHE_PG_PORT", "tcp://10.0.0.1:5432").refused();
        assert!(log.contains("PGCACHE_PG_PORT must be a whole number"), "{log}");
    });
}

#[test]
fn variables_that_are_no_text_stop_nothing_unless_they_are_settings() {
    on_every_server(|kind| {
        let not_text = || OsString::from_vec(b"\xff\xfe".into());
        Server::setup(&kind).env("LS_COLORS", not_text()).start().assert_alive();
        let log = Server::setup(&kind).env("PGCACHE_PG_PASSWORD", not_text()).refused();
        assert!(log.contains("not loaded: PGCACHE_PG_PASSWORD is no text"), "{log}");
    });
}

#[test]
fn an_unknown_variable_is_only_warned_about() {
    on_every_server(|kind| {
        let server = Server::setup(&kind)
            .env("PGCACHE_SERVICE_HOST", "10.0.0.1")
            .env("PGCACHE_PORT_6379_TCP", "tcp://10.0.0.1:6379")
            .start();
        let log = server.log();
        for name in ["PGCACHE_SERVICE_HOST", "PGCACHE_PORT_6379_TCP"] {
            assert!(log.lines().any(|line| line.contains(name) && line.contains("is not a setting")), "{log}");
        }
    });
}

#[test]
fn a_certificate_file_that_is_no_use_stops_the_load() {
    on_every_server(|kind| {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty.pem");
        fs::write(&empty, "nothing\n").unwrap();
        for path in ["/nonexistent/ca.pem", empty.to_str().unwrap()] {
            let log =
                Server::setup(&kind).setting("pg_sslmode", "verify-full").setting("pg_sslrootcert", path).refused();
            assert!(log.lines().any(|line| line.contains("pg_sslrootcert") && line.contains(path)), "{log}");
            let log = Server::setup(&kind)
                .setting("pg_sslmode", "require")
                .setting("pg_sslcert", path)
                .setting("pg_sslkey", path)
                .refused();
            assert!(log.lines().any(|line| line.contains("pg_sslcert") && line.contains(path)), "{log}");
        }
    });
}

#[test]
fn values_may_hold_spaces_quotes_and_percents() {
    on_every_server(|kind| {
        let database = users();
        database.execute(
            "CREATE SCHEMA app; CREATE TABLE app.things (id bigint PRIMARY KEY); INSERT INTO app.things VALUES (1)",
        );
        let server = Server::setup(&kind)
            .on(&database)
            .setting("pg_options", "-c search_path=app,public -c application_name=%n%s")
            .start();
        let mut client = server.client();
        assert_eq!(client.read("things", ONE).json()["id"], 1);
        let named =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = '%n%s' AND datname = current_database()";
        assert!(database.number(named) > 0);
    });
}

#[test]
fn default_ttl_counts_from_the_next_fill() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        must_set(&mut client, "default_ttl", "10000");
        client.read("users", ONE);
        assert!((9_000..=10_000).contains(&ttl(&mut client, KEY_ONE)));
        must_set(&mut client, "default_ttl", "0");
        client.invalidate("users", ONE);
        client.read("users", ONE);
        assert_eq!(ttl(&mut client, KEY_ONE), -1);
    });
}

#[test]
fn negative_ttl_says_how_long_an_absent_row_is_remembered() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        must_set(&mut client, "negative_ttl", "2000");
        assert_eq!(client.read("users", r#"{"id":100}"#), Reply::Nil);
        assert!((1_000..=2_000).contains(&ttl(&mut client, r#"pg_cache:users:{"id":100}"#)));
        must_set(&mut client, "negative_ttl", "0");
        assert_eq!(client.read("users", r#"{"id":101}"#), Reply::Nil);
        assert!(!client.exists(r#"pg_cache:users:{"id":101}"#));
    });
}

#[test]
fn ttl_jitter_percent_shortens_lives() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        must_set(&mut client, "default_ttl", "100000");
        must_set(&mut client, "ttl_jitter_percent", "50");
        let ttls: Vec<i64> = (1..=20)
            .map(|id| {
                client.read("users", &format!(r#"{{"id":{id}}}"#));
                ttl(&mut client, &format!(r#"pg_cache:users:{{"id":{id}}}"#))
            })
            .collect();
        assert!(ttls.iter().all(|ttl| (49_000..=100_000).contains(ttl)), "{ttls:?}");
        assert!(ttls.iter().any(|ttl| ttl.abs_diff(ttls[0]) > 1000), "{ttls:?}");
    });
}

#[test]
fn max_multiread_keys_bounds_a_multiread() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        let two = r#"[{"id":1},{"id":2}]"#;
        must_set(&mut client, "max_multiread_keys", "1");
        let refusal = client.multiread("users", two);
        assert!(matches!(&refusal, Reply::Error(text) if text.contains("max_multiread_keys")), "{refusal:?}");
        must_set(&mut client, "max_multiread_keys", "2");
        assert_eq!(client.multiread("users", two).json().as_array().unwrap().len(), 2);
    });
}

#[test]
fn max_entry_bytes_bounds_what_is_stored() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let mut client = server.client();
        must_set(&mut client, "max_entry_bytes", "20");
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        assert!(!client.exists(KEY_ONE));
        assert_eq!(client.call(&["PGCACHE.WRITE", "users", ONE, r#"{"id":1,"email":"too long"}"#]).code(), "ERR");
        must_set(&mut client, "max_entry_bytes", "1000");
        client.read("users", ONE);
        assert!(client.exists(KEY_ONE));
    });
}

#[test]
fn batch_max_bounds_the_keys_of_a_statement() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::setup(&kind).on(&database).setting("pool_size", "1").start();
        let mut client = server.client();
        client.read("users", ONE);
        assert_eq!(statements_for_ten_piled_up(&server, &database), 2);
        must_set(&mut client, "batch_max", "2");
        assert_eq!(statements_for_ten_piled_up(&server, &database), 6);
    });
}

/// One read keeps the only worker busy while ten more come in.
fn statements_for_ten_piled_up(server: &Server, database: &Database<'_>) -> u64 {
    let mut client = server.client();
    client.call(&["FLUSHALL"]);
    let before = client.figure("statements");
    let mut lock = Lock::on(database, "users");
    let mut readers: Vec<Client> = (1..=11).map(|_| server.client()).collect();
    readers[0].send(&["PGCACHE.READ", "users", ONE]);
    lock.await_arrivals(1);
    for (id, reader) in (1..).zip(&mut readers).skip(1) {
        reader.send(&["PGCACHE.READ", "users", &format!(r#"{{"id":{id}}}"#)]);
    }
    eventually("all wait", || (client.figure("waiting_clients") == 11).then_some(()));
    lock.release();
    for (id, reader) in (1..).zip(&mut readers) {
        assert_eq!(reader.receive().json()["id"], id);
    }
    client.figure("statements") - before
}

#[test]
fn statement_timeout_ms_ends_a_load() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.read("users", ONE);
        let lock = Lock::on(&database, "users");
        must_set(&mut client, "load_timeout_ms", "86400000");
        must_set(&mut client, "statement_timeout_ms", "50");
        assert_eq!(client.read("users", r#"{"id":2}"#).code(), "PGTIMEOUT");
        lock.release();
        must_set(&mut client, "statement_timeout_ms", "86400000");
        assert_eq!(client.read("users", r#"{"id":2}"#).json()["id"], 2);
    });
}

#[test]
fn load_timeout_ms_ends_a_wait() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        client.read("users", ONE);
        let _lock = Lock::on(&database, "users");
        must_set(&mut client, "statement_timeout_ms", "86400000");
        must_set(&mut client, "load_timeout_ms", "50");
        assert_eq!(client.read("users", r#"{"id":2}"#).code(), "PGTIMEOUT");
    });
}

#[test]
fn max_waiters_bounds_who_waits() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::setup(&kind).on(&database).start();
        let mut client = server.client();
        client.read("users", ONE);
        must_set(&mut client, "max_waiters", "1");
        let lock = Lock::on(&database, "users");
        let mut first = server.client();
        first.send(&["PGCACHE.READ", "users", r#"{"id":2}"#]);
        eventually("one waits", || (client.figure("waiting_clients") == 1).then_some(()));
        assert_eq!(client.read("users", r#"{"id":2}"#).code(), "PGBUSY");
        assert_eq!(client.read("users", ONE).json()["id"], 1);
        lock.release();
        assert_eq!(first.receive().json()["id"], 2);
    });
}

#[test]
fn queue_limit_bounds_what_waits_for_a_worker() {
    on_every_server(|kind| {
        let database = users();
        database.execute("CREATE VIEW people AS SELECT * FROM users");
        let server = Server::setup(&kind).on(&database).setting("pool_size", "1").start();
        let mut client = server.client();
        client.read("people", ONE);
        must_set(&mut client, "queue_limit", "1");
        let lock = Lock::on(&database, "users");
        let mut waiting: Vec<Client> = (2..=10).map(|_| server.client()).collect();
        for (id, one) in (2..).zip(&mut waiting) {
            one.send(&["PGCACHE.READ", "people", &format!(r#"{{"id":{id}}}"#)]);
        }
        // One is with the worker, one may wait for it, the others are sent away.
        eventually("the others are refused", || (client.figure("errors") >= 7).then_some(()));
        lock.release();
        let replies: Vec<Reply> = waiting.iter_mut().map(Client::receive).collect();
        let busy = replies.iter().filter(|reply| reply.code() == "PGBUSY").count();
        assert!((7..=8).contains(&busy), "{replies:?}");
        assert_eq!(replies.iter().filter(|reply| matches!(reply, Reply::Bulk(_))).count(), 9 - busy);
    });
}

#[test]
fn events_change_at_once() {
    on_every_server(|kind| {
        let server = Server::start(&kind, &users());
        let (mut client, mut listener) = (server.client(), server.client());
        listener.call(&["SUBSCRIBE", "pg_cache_events"]);
        must_set(&mut client, "events", "none");
        client.read("users", ONE);
        must_set(&mut client, "events", "cache_hit");
        client.read("users", ONE);
        let Reply::Array(message) = listener.receive() else { panic!("no message") };
        assert_eq!(message[2].json()["type"], "cache_hit");
    });
}

#[test]
fn a_rewritten_configuration_keeps_the_settings_and_holds_no_password() {
    on_every_server(|kind| {
        let server = Server::setup(&kind).on(&users()).env("PGCACHE_PG_PASSWORD", "open-sesame").start();
        let mut client = server.client();
        must_set(&mut client, "default_ttl", "77");
        must_set(&mut client, "events", "cache_hit,cache_load");
        assert_eq!(client.call(&["CONFIG", "REWRITE"]).text(), "OK");
        let file = fs::read_to_string(server.folder().join("server.conf")).unwrap();
        assert!(file.contains("pgcache.default_ttl 77"), "{file}");
        assert!(file.contains("cache_hit,cache_load"), "{file}");
        assert!(!file.contains("open-sesame"), "{file}");
        assert_eq!(client.call(&["CONFIG", "REWRITE"]).text(), "OK");
        assert_eq!(get(&mut client, "default_ttl"), "77");
    });
}

#[test]
fn a_server_starts_again_from_its_rewritten_configuration() {
    on_every_server(|kind| {
        let database = users();
        let server = Server::start(&kind, &database);
        let mut client = server.client();
        must_set(&mut client, "default_ttl", "77");
        assert_eq!(client.call(&["CONFIG", "REWRITE"]).text(), "OK");
        let file = fs::read_to_string(server.folder().join("server.conf")).unwrap();
        drop(server);
        let mut setup = Server::setup(&kind).without_module();
        let own = |line: &&str| line.starts_with("loadmodule") || line.starts_with("pgcache.");
        for line in file.lines().filter(own) {
            setup = setup.line(line);
        }
        let server = setup.start();
        let mut client = server.client();
        assert_eq!(get(&mut client, "default_ttl"), "77");
        assert_eq!(client.read("users", ONE).json()["id"], 1);
    });
}
